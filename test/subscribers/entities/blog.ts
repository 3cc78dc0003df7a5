import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  UpdateDateColumn,
  VersionColumn,
} from "typeorm";
import { Tracked } from "../../../src/index.js";

const reversed = (text: string | null | undefined) => (text == null ? text : text.split("").toReversed().join(""));

@Entity()
@Tracked()
export class Author {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") name!: string;
  @Column("text", { nullable: true, unique: true }) email!: string | null;
  @Column("text", { nullable: true, select: false }) password?: string | null;
  @Column("text", { nullable: true, transformer: { to: reversed, from: reversed } }) nickname?: string | null;
  @Column({ type: "text", name: "signed_up_by", nullable: true, update: false }) signedUpBy?: string | null;
  @Column("integer", { default: 0 }) score!: number;
  @CreateDateColumn({ type: "timestamptz" }) joinedAt!: Date;
  @UpdateDateColumn({ type: "timestamptz" }) changedAt!: Date;
  @VersionColumn() revision!: number;
  @DeleteDateColumn({ type: "timestamptz" }) deletedAt?: Date | null;
  @OneToMany(() => Post, (post) => post.author, { cascade: true }) posts!: Relation<Post>[];
}

@Entity()
@Tracked()
export class Tag {
  @PrimaryColumn("text") name!: string;
  @Column("text", { nullable: true }) color?: string | null;
}

@Entity()
@Tracked()
export class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @Column("text", { nullable: true }) body?: string | null;
  @ManyToOne(() => Author, (author) => author.posts, { cascade: ["insert", "update"], onDelete: "CASCADE" })
  author!: Relation<Author> | null;
  @ManyToMany(() => Tag, { cascade: true }) @JoinTable() tags!: Relation<Tag>[];
  @OneToMany(() => Comment, (comment) => comment.post, { cascade: true }) comments!: Relation<Comment>[];
  @OneToMany(() => Attachment, (attachment) => attachment.post, { cascade: true }) attachments!: Relation<Attachment>[];
  @OneToMany(() => Reaction, (reaction) => reaction.post, { cascade: true }) reactions!: Relation<Reaction>[];
  @DeleteDateColumn({ type: "timestamptz" }) deletedAt?: Date | null;
}

/** A comment that is taken off its post stays, without a post. */
@Entity()
@Tracked()
export class Comment {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") text!: string;
  @ManyToOne(() => Post, (post) => post.comments, { onDelete: "CASCADE", orphanedRowAction: "nullify" })
  post!: Relation<Post> | null;
  @DeleteDateColumn({ type: "timestamptz" }) deletedAt?: Date | null;
}

/** An attachment that is taken off its post goes. */
@Entity()
@Tracked()
export class Attachment {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") file!: string;
  @ManyToOne(() => Post, (post) => post.attachments, { onDelete: "SET NULL", orphanedRowAction: "delete" })
  post!: Relation<Post> | null;
}

/** A reaction that is taken off its post is marked as deleted. */
@Entity()
@Tracked()
export class Reaction {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") sign!: string;
  @ManyToOne(() => Post, (post) => post.reactions, { onDelete: "CASCADE", orphanedRowAction: "soft-delete" })
  post!: Relation<Post> | null;
  @DeleteDateColumn({ type: "timestamptz" }) deletedAt?: Date | null;
}

/** Emptied as a whole by some tests. */
@Entity()
@Tracked()
export class Basket {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") label!: string;
  @OneToMany(() => BasketItem, (item) => item.basket) items!: Relation<BasketItem>[];
}

@Entity()
@Tracked()
export class BasketItem {
  @PrimaryGeneratedColumn() id!: number;
  @Column("integer", { default: 1 }) quantity!: number;
  @ManyToOne(() => Basket, (basket) => basket.items) basket!: Relation<Basket>;
}

export const blog = [Author, Tag, Post, Comment, Attachment, Reaction, Basket, BasketItem];

export const blogTables = [
  { table: "author", entity: "Author" },
  { table: "tag", entity: "Tag" },
  { table: "post", entity: "Post" },
  { table: "post_tags_tag", entity: "Post.tags" },
  { table: "comment", entity: "Comment" },
  { table: "attachment", entity: "Attachment" },
  { table: "reaction", entity: "Reaction" },
  { table: "basket", entity: "Basket" },
  { table: "basket_item", entity: "BasketItem" },
];
