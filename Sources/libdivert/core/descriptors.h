#pragma once
// Which descriptors are divert sockets. The kernel knows; what it has answered is kept for as long as it must be true.
//
// A number can become a divert socket only by calls that go through this library (socket, dup, SCM_RIGHTS …), so "is
// none" stays true until one of them says otherwise, whatever else happens to the number: nothing needs to watch other
// programs' descriptors. "Is one" ends with the number's close, which goes through this library, too; while that is
// under way nothing is kept, since the number may be somebody else's already. No answer is kept for 0 to 2, over which
// the C library itself puts other files (daemon(3)).
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

enum descriptor_state {
  descriptor_unknown,
  descriptor_other,
  descriptor_divert,
  descriptor_ask, // unknown, and no answer is to be kept
};

// An entry is a state, of a divert socket the slot in which its packets are counted, and above that a count of changes:
// an answer from before one is not kept.
enum {
  descriptor_state_bits = 2,
  descriptor_slot_bits = 16,
  descriptor_count = 1 << 16, // numbers beyond are asked for each time
};

extern _Atomic uint64_t descriptors[descriptor_count];

static inline enum descriptor_state descriptor_state(uint64_t entry) {
  return entry & ((1 << descriptor_state_bits) - 1);
}

static inline bool descriptor_is_known_other(int descriptor) {
  return (unsigned)descriptor < descriptor_count &&
         descriptor_state(atomic_load_explicit(&descriptors[descriptor], memory_order_acquire)) == descriptor_other;
}

bool descriptor_ask_kernel(int descriptor, uint16_t *slot);

// Whether it is a divert socket, and where its packets are counted.
static inline bool descriptor_is_divert(int descriptor, uint16_t *slot) {
  if ((unsigned)descriptor < descriptor_count) {
    uint64_t entry = atomic_load_explicit(&descriptors[descriptor], memory_order_acquire);
    if (descriptor_state(entry) == descriptor_other) return false;
    *slot = (uint16_t)(entry >> descriptor_state_bits);
    if (descriptor_state(entry) == descriptor_divert) return true;
  }
  return descriptor_ask_kernel(descriptor, slot);
}

// The number stands for something new, or for something new that is no divert socket.
void descriptor_forget(int descriptor);
void descriptor_set_other(int descriptor);

// Around whatever may end a number: nothing is kept until it is over.
void descriptors_begin_close(unsigned first, unsigned last);
void descriptors_end_close(unsigned first, unsigned last);

#pragma GCC visibility pop
