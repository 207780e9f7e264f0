// What a web developer would take instead: each receiver gets a box under one ephemeral key per broadcast, and the
// broadcast one Ed25519 signature over all boxes. Public keys are there in the form the library likes best, and
// nonces are zero, as an ephemeral key allows; both favour the peers.

import sodium from "libsodium-wrappers";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";

const NONCE = new Uint8Array(24);

function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

// Operations by name, each a function of n that prepares and answers with what is to be timed.
export async function peers(message) {
  await sodium.ready;
  const signer = sodium.crypto_sign_keypair();
  const publics = (n) => Array.from({ length: n }, () => sodium.crypto_box_keypair().publicKey);

  const libsodiumBox = (n) => {
    const receivers = publics(n);
    return () => {
      const key = sodium.crypto_box_keypair();
      const boxes = receivers.map((to) => sodium.crypto_box_easy(message, NONCE, to, key.privateKey));
      boxes.push(key.publicKey);
      return sodium.crypto_sign_detached(joined(boxes), signer.privateKey);
    };
  };

  // As many bytes as the signed part of our header.
  const libsodiumVerify = (n) => {
    const signed = Array.from({ length: n }, (_, i) => {
      const text = new Uint8Array(388).fill(i);
      return [sodium.crypto_sign_detached(text, signer.privateKey), text];
    });
    return () => {
      if (!signed.every(([mark, text]) => sodium.crypto_sign_verify_detached(mark, text, signer.publicKey))) {
        throw new Error("libsodium refused a good signature");
      }
    };
  };

  const libsodiumOpen = () => {
    const [from, to] = [sodium.crypto_box_keypair(), sodium.crypto_box_keypair()];
    const sealed = sodium.crypto_box_easy(message, NONCE, to.publicKey, from.privateKey);
    return () => sodium.crypto_box_open_easy(sealed, NONCE, from.publicKey, to.privateKey);
  };

  const nobleBox = (n) => {
    const receivers = publics(n);
    const secret = ed25519.utils.randomSecretKey();
    return () => {
      const key = x25519.keygen();
      const boxes = receivers.map((to) =>
        xsalsa20poly1305(x25519.getSharedSecret(key.secretKey, to), NONCE).encrypt(message));
      boxes.push(key.publicKey);
      return ed25519.sign(joined(boxes), secret);
    };
  };

  const nobleVerify = () => {
    const { secretKey, publicKey } = ed25519.keygen();
    const text = new Uint8Array(388);
    const mark = ed25519.sign(text, secretKey);
    return () => {
      if (!ed25519.verify(mark, text, publicKey)) throw new Error("noble refused a good signature");
    };
  };

  // The browser's own native code; X25519, AES-GCM, Ed25519. Everything waits for a promise.
  const webCryptoBox = async (n) => {
    const algorithm = { name: "X25519" };
    const imported = publics(n).map((raw) => crypto.subtle.importKey("raw", raw, algorithm, false, []));
    const receivers = await Promise.all(imported);
    const own = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    const seal = async (to, key) => {
      const shared = await crypto.subtle.deriveBits({ name: "X25519", public: to }, key, 256);
      const aes = await crypto.subtle.importKey("raw", shared, "AES-GCM", false, ["encrypt"]);
      return crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, aes, message);
    };
    return async () => {
      const key = await crypto.subtle.generateKey(algorithm, false, ["deriveBits"]);
      const boxes = await Promise.all(receivers.map((to) => seal(to, key.privateKey)));
      return crypto.subtle.sign("Ed25519", own.privateKey, joined(boxes.map((box) => new Uint8Array(box))));
    };
  };

  return {
    "libsodium/box": libsodiumBox,
    "libsodium/verify": libsodiumVerify,
    "libsodium/open": libsodiumOpen,
    "noble/box": nobleBox,
    "noble/verify": nobleVerify,
    "webcrypto/box": webCryptoBox,
  };
}
