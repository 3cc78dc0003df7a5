import { createHmac, createSecretKey } from "node:crypto";
import { expect } from "chai";
import { type AddressPrivacy, endpointOf, keptAddress, sourceOf } from "../../src/activity/address.js";
import { clientsOf, keptForwarded, keptForwardedFor } from "../../src/activity/forwarded.js";
import { requestFacts } from "../../src/activity/request-facts.js";
import { compiledTrust } from "../../src/activity/trust-proxy.js";

/** The addresses among what a header names, that of the client first. */
const clientsIn = (name: string, header: string) =>
  [...clientsOf(name, header)].flatMap((node) => endpointOf(node)?.ip ?? []).toReversed();

const key = "the secret of the hashes";
const hash = (ip: string) => `sha256:${createHmac("sha256", key).update(ip).digest("hex")}`;
const privacy = (
  ipPrivacy: AddressPrivacy["ipPrivacy"],
  ipv4TruncationMask = 24,
  ipv6TruncationMask = 48,
): AddressPrivacy => ({
  ipPrivacy,
  secret: createSecretKey(key, "utf8"),
  ipv4TruncationMask,
  ipv6TruncationMask,
});

/** As it is spelled, the address it means, and its network of 24 or 48 bits. */
const spellings: readonly (readonly [given: string, ip: string | null, network?: string, port?: number])[] = [
  ["203.0.113.43", "203.0.113.43", "203.0.113.0/24"],
  ["  203.0.113.43  ", "203.0.113.43", "203.0.113.0/24"],
  ["203.0.113.43:47011", "203.0.113.43", "203.0.113.0/24", 47011],
  ['"203.0.113.43"', "203.0.113.43", "203.0.113.0/24"],
  ['"203.0.113.43:80"', "203.0.113.43", "203.0.113.0/24", 80],
  ["0.0.0.0", "0.0.0.0", "0.0.0.0/24"],
  ["255.255.255.255", "255.255.255.255", "255.255.255.0/24"],
  ["10.1.2.3", "10.1.2.3", "10.1.2.0/24"],
  ["127.0.0.1", "127.0.0.1", "127.0.0.0/24"],
  ["2001:db8:cafe::17", "2001:db8:cafe::17", "2001:db8:cafe::/48"],
  ["2001:DB8:CAFE::17", "2001:db8:cafe::17", "2001:db8:cafe::/48"],
  ["2001:0db8:cafe:0000:0000:0000:0000:0017", "2001:db8:cafe::17", "2001:db8:cafe::/48"],
  ["[2001:db8:cafe::17]", "2001:db8:cafe::17", "2001:db8:cafe::/48"],
  ["[2001:db8:cafe::17]:4711", "2001:db8:cafe::17", "2001:db8:cafe::/48", 4711],
  ['"[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17", "2001:db8:cafe::/48", 4711],
  ["::1", "::1", "::/48"],
  ["::", "::", "::/48"],
  ["[::1]:8080", "::1", "::/48", 8080],
  ["fe80::1%eth0", "fe80::1", "fe80::/48"],
  ["[fe80::1%25]:80", "fe80::1", "fe80::/48", 80],
  ["fe80::a:b%en-1.2", "fe80::a:b", "fe80::/48"],
  ["::ffff:203.0.113.43", "203.0.113.43", "203.0.113.0/24"],
  ["::FFFF:203.0.113.43", "203.0.113.43", "203.0.113.0/24"],
  ["::ffff:cb00:712b", "203.0.113.43", "203.0.113.0/24"],
  ["[::ffff:203.0.113.43]:99", "203.0.113.43", "203.0.113.0/24", 99],
  ["64:ff9b::203.0.113.43", "64:ff9b::cb00:712b", "64:ff9b::/48"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
  ["", null],
  ["   ", null],
  ["unknown", null],
  ["_hidden", null],
  ["localhost", null],
  ["example.org", null],
  ["203.0.113", null],
  ["203.0.113.256", null],
  ["203.0.113.43.1", null],
  ["203.0.113.043", null],
  ["0x7f.0.0.1", null],
  ["2130706433", null],
  ["127.1", null],
  ["203.0.113.43:", null],
  ["203.0.113.43:99999", null],
  ["203.0.113.43:http", null],
  ["2001:db8", null],
  ["2001:db8:::1", null],
  ["[2001:db8::1", null],
  ["2001:db8::1]", null],
  ["[203.0.113.43]", null],
  ["[]", null],
  ["[]:80", null],
  ["'; drop table account; --", null],
  ["203.0.113.43, 198.51.100.1", null],
  ["<script>", null],
];

const forwarded: readonly (readonly [header: string, clients: string[], truncated: string | null])[] = [
  ["for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60"], 'for="192.0.2.0/24";proto=http;by="203.0.113.0/24"'],
  ["FOR=192.0.2.60", ["192.0.2.60"], 'for="192.0.2.0/24"'],
  ["For=192.0.2.60;Proto=HTTPS", ["192.0.2.60"], 'for="192.0.2.0/24";proto=HTTPS'],
  ['for="192.0.2.60"', ["192.0.2.60"], 'for="192.0.2.0/24"'],
  ['for="192.0.2.60:47011"', ["192.0.2.60"], 'for="192.0.2.0/24"'],
  ['For="[2001:db8:cafe::17]:4711"', ["2001:db8:cafe::17"], 'for="2001:db8:cafe::/48"'],
  ['for="[2001:db8:cafe::17]"', ["2001:db8:cafe::17"], 'for="2001:db8:cafe::/48"'],
  ["for=192.0.2.43, for=198.51.100.17", ["192.0.2.43", "198.51.100.17"], 'for="192.0.2.0/24", for="198.51.100.0/24"'],
  [
    "for=192.0.2.43,for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com",
    ["192.0.2.43", "198.51.100.17"],
    'for="192.0.2.0/24", for="198.51.100.0/24";by="203.0.113.0/24";proto=http;host=example.com',
  ],
  ["for=_hidden, for=_SEVKISEK", [], "for=_hidden, for=_SEVKISEK"],
  ["for=unknown, for=192.0.2.1", ["192.0.2.1"], 'for=unknown, for="192.0.2.0/24"'],
  ["proto=https ; for = 192.0.2.9", ["192.0.2.9"], 'proto=https;for="192.0.2.0/24"'],
  ['for="\\192.0.2.60"', ["192.0.2.60"], 'for="192.0.2.0/24"'],
  ['for=192.0.2.1;host="a, b; c"', ["192.0.2.1"], 'for="192.0.2.0/24";host="a, b; c"'],
  ["by=203.0.113.9", [], 'by="203.0.113.0/24"'],
  ['for="::ffff:192.0.2.7"', ["192.0.2.7"], 'for="192.0.2.0/24"'],
  ['for="[fe80::1%eth0]:1"', ["fe80::1"], 'for="fe80::/48"'],
  ["for=somebody.at.home", [], null],
  ["for=", [], null],
  ["for", [], null],
  [";;,,;", [], null],
  ["", [], null],
  ['for="unclosed', [], null],
  ["garbage in, for=192.0.2.5", ["192.0.2.5"], 'for="192.0.2.0/24"'],
];

const forwardedFor: readonly (readonly [header: string, truncated: string | null])[] = [
  ["203.0.113.195", "203.0.113.0/24"],
  ["203.0.113.195, 70.41.3.18, 150.172.238.178", "203.0.113.0/24, 70.41.3.0/24, 150.172.238.0/24"],
  ["203.0.113.195,2001:db8:85a3:8d3:1319:8a2e:370:7348", "203.0.113.0/24, 2001:db8:85a3::/48"],
  ["203.0.113.195:41237, [2001:db8::1]:41238", "203.0.113.0/24, 2001:db8::/48"],
  ["unknown, 203.0.113.195", "unknown, 203.0.113.0/24"],
  ["::ffff:203.0.113.195", "203.0.113.0/24"],
  ["not an address", null],
  [", ,", null],
];

describe("addresses", () => {
  for (const [given, ip, network, port] of spellings) {
    it(`reads ${JSON.stringify(given)} as ${ip ?? "no address"}`, () => {
      const endpoint = endpointOf(given);
      expect(endpoint).to.deep.equal(ip === null ? null : { ip, port: port ?? null });
      if (endpoint === null) return;
      expect(keptAddress(endpoint.ip, privacy("none"))).to.equal(ip);
      expect(keptAddress(endpoint.ip, privacy("hash"))).to.equal(hash(sourceOf(ip ?? "")));
      expect(keptAddress(endpoint.ip, privacy("truncate"))).to.equal(network);
      expect(keptAddress(endpoint.ip, privacy("exclude"))).to.equal(null);
    });
  }

  it("truncates to the masks that are configured", () => {
    expect(keptAddress("203.0.113.43", privacy("truncate", 16))).to.equal("203.0.0.0/16");
    expect(keptAddress("203.0.113.43", privacy("truncate", 32))).to.equal("203.0.113.43/32");
    expect(keptAddress("203.0.113.43", privacy("truncate", 0))).to.equal("0.0.0.0/0");
    expect(keptAddress("2001:db8:cafe:1234::17", privacy("truncate", 24, 64))).to.equal("2001:db8:cafe:1234::/64");
  });

  for (const [header, clients, truncated] of forwarded) {
    it(`reads Forwarded: ${header}`, () => {
      expect(clientsIn("forwarded", header)).to.deep.equal(clients);
      expect(keptForwarded(header, privacy("none"))).to.equal(header);
      expect(keptForwarded(header, privacy("truncate"))).to.equal(truncated);
      expect(keptForwarded(header, privacy("exclude"))).to.equal(null);
      const hashed = keptForwarded(header, privacy("hash")) ?? "";
      for (const ip of clients)
        expect(hashed)
          .to.include(`for="${hash(sourceOf(ip))}"`)
          .and.not.to.include(ip);
    });
  }

  for (const [header, truncated] of forwardedFor) {
    it(`keeps X-Forwarded-For: ${header}`, () => {
      expect(keptForwardedFor(header, privacy("none"))).to.equal(header);
      expect(keptForwardedFor(header, privacy("truncate"))).to.equal(truncated);
      expect(keptForwardedFor(header, privacy("exclude"))).to.equal(null);
    });
  }
});

describe("a header of addresses that is too long to be kept whole", () => {
  const header = `${"203.0.113.9, ".repeat(300)}198.51.100.7`;
  for (const mode of ["none", "truncate", "hash"] as const) {
    it(`keeps the end that proxies wrote, under ipPrivacy "${mode}"`, () => {
      const last = mode === "hash" ? hash("198.51.100.7") : mode === "none" ? "198.51.100.7" : "198.51.100.0/24";
      const forwarded = header.replaceAll(/(?:^|, )/g, "$&for=");
      for (const kept of [keptForwardedFor(header, privacy(mode)), keptForwarded(forwarded, privacy(mode))]) {
        expect(kept?.replace(/"$/, ""))
          .to.match(/^\[\d+ more\]/)
          .and.satisfy((text: string) => text.endsWith(last));
        expect(kept).to.have.length.below(1_100);
      }
    });
  }
});

describe("the source of an address", () => {
  for (const [kept, source] of [
    ["203.0.113.9", "203.0.113.9"],
    ["203.0.113.0/24", "203.0.113.0/24"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8::/64"],
    ["::1", "::/64"],
    ["2001:db8:1:2:3::/80", "2001:db8:1:2::/64"],
    ["2001:db8:1::/48", "2001:db8:1::/48"],
    [hash("203.0.113.9"), hash("203.0.113.9")],
  ] as const) {
    it(`is ${source} of ${kept}`, () => expect(sourceOf(kept)).to.equal(source));
  }
});

describe("the client's address of a request", () => {
  const ipOf = (
    headers: Record<string, string | string[]>,
    trust: Parameters<typeof compiledTrust>[0],
    remoteAddress = "10.0.0.1",
    header = "x-forwarded-for",
  ) => {
    const proxies = { isTrusted: compiledTrust(trust), header };
    return requestFacts({ headers, socket: { remoteAddress, remotePort: 99 } }, proxies, privacy("none")).ip;
  };

  it("is the socket's where no proxy is trusted, whatever headers say", () => {
    const headers = { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" };
    expect(ipOf(headers, false)).to.equal("10.0.0.1");
    expect(ipOf(headers, ["192.168.0.0/16"])).to.equal("10.0.0.1");
  });

  it("is the first that trusted proxies do not vouch for", () => {
    const headers = { "x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.2" };
    expect(ipOf(headers, "10.0.0.0/8")).to.equal("203.0.113.9");
    expect(ipOf(headers, "loopback, 10.0.0.0/8")).to.equal("203.0.113.9");
    expect(ipOf(headers, 1)).to.equal("10.0.0.2");
    expect(ipOf(headers, 2)).to.equal("203.0.113.9");
    expect(ipOf(headers, true)).to.equal("6.6.6.6");
    expect(ipOf(headers, (address) => address.startsWith("10."))).to.equal("203.0.113.9");
    expect(ipOf(headers, "loopback", "::ffff:127.0.0.1")).to.equal("10.0.0.2");
  });

  it("is read from the one header that the option names, whatever the others say", () => {
    const headers = {
      forwarded: 'for=6.6.6.6, For="[2001:db8::9]:1", for=10.0.0.2',
      "x-forwarded-for": "203.0.113.9",
      "x-real-ip": "198.51.100.9",
    };
    const by = (header: string) => ipOf(headers, "10.0.0.0/8", "10.0.0.1", header);
    expect(by("x-forwarded-for")).to.equal("203.0.113.9");
    expect(by("forwarded")).to.equal("2001:db8::9");
    expect(by("x-real-ip")).to.equal("198.51.100.9");
    expect(ipOf({ forwarded: "for=6.6.6.6" }, true)).to.equal("10.0.0.1");
    expect(ipOf({ "x-forwarded-for": "6.6.6.6" }, true, "10.0.0.1", "forwarded")).to.equal("10.0.0.1");
  });

  it("is read from the end that the proxy wrote, however much a client put before it", () => {
    for (const before of [
      "6.6.6.6, ".repeat(200),
      "6.6.6.6,".repeat(500),
      "x".repeat(5_000) + ", ",
      ", ".repeat(2_000),
    ]) {
      expect(ipOf({ "x-forwarded-for": `${before}203.0.113.9` }, "10.0.0.0/8")).to.equal("203.0.113.9");
      const forwarded = `${before.replaceAll("6.6", "for=6.6")}for=203.0.113.9`;
      expect(ipOf({ forwarded }, "10.0.0.0/8", "10.0.0.1", "forwarded")).to.equal("203.0.113.9");
    }
  });

  it("is the socket's if the header is longer than any chain of proxies makes it", () => {
    const long = "6.6.6.6, ".repeat(1_000);
    expect(ipOf({ "x-forwarded-for": `${long}203.0.113.9` }, true)).to.equal("10.0.0.1");
    expect(ipOf({ forwarded: `${long}for=203.0.113.9` }, true, "10.0.0.1", "forwarded")).to.equal("10.0.0.1");
  });

  for (const before of [
    'for="',
    'for=6.6.6.6;z="',
    'for=6.6.6.6;z="\\',
    'for="6.6.6.6',
    '"',
    'for=6.6.6.6, for="\\"',
  ]) {
    it(`is what the proxy wrote behind a quote that a client left open: ${before}`, () => {
      for (const own of ['for="[2001:db8::9]:4711"', "for=203.0.113.9"]) {
        const ip = ipOf({ forwarded: `${before}, ${own}` }, 1, "10.0.0.1", "forwarded");
        expect(ip).to.equal(own.includes(":") ? "2001:db8::9" : "203.0.113.9");
      }
    });
  }

  it("is never taken from the left of a hop that is no address", () => {
    expect(ipOf({ "x-forwarded-for": "6.6.6.6, unknown" }, 1)).to.equal("10.0.0.1");
    expect(ipOf({ "x-forwarded-for": "6.6.6.6, unknown, 10.0.0.2" }, "10.0.0.0/8")).to.equal("10.0.0.2");
    expect(ipOf({ forwarded: "for=6.6.6.6, proto=https" }, 1, "10.0.0.1", "forwarded")).to.equal("10.0.0.1");
    expect(ipOf({ forwarded: "for=6.6.6.6, for=_hidden" }, true, "10.0.0.1", "forwarded")).to.equal("10.0.0.1");
  });

  it("is the socket's if trusted headers hold garbage", () => {
    expect(ipOf({ "x-forwarded-for": "nonsense, <b>" }, true)).to.equal("10.0.0.1");
  });

  it("is not known of a Fetch request, which has no socket; all else of it is", () => {
    const request = new Request("https://example.org/a/b?token=1", {
      headers: { "user-agent": "x", "x-forwarded-for": "203.0.113.9" },
    });
    expect(
      requestFacts(request, { isTrusted: compiledTrust(true), header: "x-forwarded-for" }, privacy("none")),
    ).to.deep.include({
      ip: null,
      path: "/a/b",
      method: "GET",
      userAgent: "x",
      xForwardedFor: "203.0.113.9",
    });
  });
});
