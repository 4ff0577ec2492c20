"use strict";
// Orders that look random and are the same every time a listener opens the page.

// FNV-1a, 32 bits
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

// Marsaglia's xorshift of 32 bits, numbers from 0 up to 1
function generator(text) {
  let state = hashOf(text) || 1;
  const next = () => {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state / 4294967296;
  };
  for (let number = 0; number < 16; number++) next(); // texts that differ in one letter begin alike
  return next;
}

// Fisher and Yates
function shuffled(items, text) {
  const random = generator(text), mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
  }
  return mixed;
}
