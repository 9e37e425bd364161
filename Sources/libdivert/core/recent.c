#include "recent.h"

#include <stdatomic.h>
#include <string.h>

// An entry is one word, written at once: of whichever packet it is, it is whole. The host compares the packet with the
// path's (docs/link-frame.md), so that a wrong one does no harm.
enum { path_bits = 24, tag_bits = 16, entry_bits = 12, last_count = 64 };

static _Atomic uint64_t entries[1 << entry_bits]; // a path, and above that the rest of the packet's hash
static _Atomic uint64_t last[last_count];         // a path, the tag, the direction and the socket

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t size) {
  uint64_t word = 0;
  memcpy(&word, bytes, size);
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

// Of what is left alone by most programs that change a packet: addresses, ports, identification.
static uint64_t hash_of(struct frame frame, const uint8_t *start, size_t size) {
  uint64_t hash = (uint64_t)frame.tag << 1 | (frame.flags & frame_outgoing);
  if (start[0] >> 4 == 4) {
    hash = mix(hash, start + 4, 2);
    hash = mix(hash, start + 9, 1);
    hash = mix(hash, start + 12, 8);
    return size >= 24 ? mix(hash, start + 20, 4) : hash;
  }
  if (size < 40) return hash;
  hash = mix(hash, start + 6, 1);
  for (int i = 8; i < 40; i += 8) hash = mix(hash, start + i, 8);
  return size >= 44 ? mix(hash, start + 40, 4) : hash;
}

static uint64_t last_of(int socket, struct frame frame) {
  uint64_t rest = (uint64_t)(uint16_t)socket << 1 | (frame.flags & frame_outgoing);
  return (rest << tag_bits | frame.tag) << path_bits;
}

void recent_keep(int socket, struct frame frame, const uint8_t *start, size_t size) {
  if (frame.check == 0 || size < 20) return;
  uint64_t path = (uint64_t)frame.check << 16 | frame.path;
  uint64_t hash = hash_of(frame, start, size);
  atomic_store_explicit(&entries[hash >> (64 - entry_bits)], hash << path_bits | path, memory_order_relaxed);
  atomic_store_explicit(&last[(unsigned)socket % last_count], last_of(socket, frame) | path, memory_order_relaxed);
}

void recent_find(int socket, struct frame *frame, const uint8_t *start, size_t size) {
  if (frame->check != 0 || size < 20) return;
  uint64_t hash = hash_of(*frame, start, size);
  uint64_t entry = atomic_load_explicit(&entries[hash >> (64 - entry_bits)], memory_order_relaxed);
  if (entry >> path_bits != hash << path_bits >> path_bits) {
    entry = atomic_load_explicit(&last[(unsigned)socket % last_count], memory_order_relaxed);
    if (entry >> path_bits << path_bits != last_of(socket, *frame)) return;
  }
  frame->path = (uint16_t)entry;
  frame->check = (uint8_t)(entry >> 16);
}
