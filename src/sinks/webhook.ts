import { lookup } from "node:dns/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import ipaddr from "ipaddr.js";
import { Webhook } from "standardwebhooks";
import { severities } from "../../entities/activity.js";
import type { CheckedWebhookSink } from "./options.js";
import type { Sink } from "./sink.js";

/** Entries of one message. */
const largestMessage = 100;

/** Sends entries as messages of Standard Webhooks: signed, so that the receiver can tell who sent them, and whether twice. */
export function webhookSink({ url, secret, severity, retries, timeoutMs, allowPrivate }: CheckedWebhookSink): Sink {
  const lowest = severities.indexOf(severity);
  const signer = new Webhook(secret);
  const target = new URL(url);

  async function send(id: string, body: string): Promise<void> {
    const at = new Date();
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": signer.sign(id, at, body),
    };
    const address = await addressOf(target, allowPrivate);
    const status = await post(target, address, headers, body, timeoutMs);
    if (status < 200 || status > 299)
      throw new Error(`The webhook answered ${status}${status < 400 ? ": redirects are not followed" : ""}.`);
  }

  return {
    name: `webhook ${target.origin}`,
    wants: (entry) => severities.indexOf(entry.severity) >= lowest,
    write: async (batch) => {
      for (let from = 0; from < batch.length; from += largestMessage) {
        const part = batch.slice(from, from + largestMessage);
        const body = JSON.stringify({ type: "activity", timestamp: new Date().toISOString(), data: part });
        // The same for the same entries: a message sent again can be told from a new one.
        await retried(() => send(`msg_${part[0]?.id}_${part.length}`, body), retries);
      }
    },
  };
}

async function retried(work: () => Promise<void>, retries: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= retries || error instanceof RefusedAddress) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 100 * 2 ** attempt)).unref());
    }
  }
}

class RefusedAddress extends Error {}

/**
 * The address that is called: resolved once, judged, and called by number, so that a name that changes its mind between the two
 * leads nowhere.
 */
async function addressOf(target: URL, allowPrivate: boolean): Promise<string> {
  const host = target.hostname.replace(/^\[(.*)\]$/, "$1");
  const { address } = ipaddr.isValid(host) ? { address: host } : await lookup(host);
  if (!allowPrivate && ipaddr.process(address).range() !== "unicast")
    throw new RefusedAddress(
      `The webhook's host ${target.hostname} is an address that is not public; allowPrivate allows it.`,
    );
  return address;
}

function post(
  target: URL,
  address: string,
  headers: Record<string, string>,
  body: string,
  timeoutMs: number,
): Promise<number> {
  const request = target.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(
      target,
      {
        method: "POST",
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
        signal: AbortSignal.timeout(timeoutMs),
        lookup: (_, options, found) => {
          const family = ipaddr.parse(address).kind() === "ipv6" ? 6 : 4;
          if (options.all) (found as unknown as (error: null, all: object[]) => void)(null, [{ address, family }]);
          else found(null, address, family);
        },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
