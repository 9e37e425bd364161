#include "descriptors.h"

#include <errno.h>

#include "mark.h"

_Atomic uint64_t descriptors[descriptor_count];

// One more than the greatest number that anything is kept for: what a call closes is often all up to the last one.
static atomic_uint kept;

static void change(unsigned descriptor, enum descriptor_state state) {
  const int payload = descriptor_state_bits + descriptor_slot_bits;
  uint64_t entry = atomic_load_explicit(&descriptors[descriptor], memory_order_relaxed);
  uint64_t changed;
  do changed = ((entry >> payload) + 1) << payload | state;
  while (!atomic_compare_exchange_weak(&descriptors[descriptor], &entry, changed));
}

static void keep(unsigned descriptor, uint64_t before, uint64_t answer) {
  unsigned count = atomic_load_explicit(&kept, memory_order_relaxed);
  while (count <= descriptor && !atomic_compare_exchange_weak(&kept, &count, descriptor + 1)) {}
  atomic_compare_exchange_strong(&descriptors[descriptor], &before, before | answer);
}

bool descriptor_ask_kernel(int descriptor, uint16_t *slot) {
  struct mark mark = {0};
  int code = errno;
  if (descriptor < 0) return false;
  bool has_entry = descriptor < descriptor_count;
  uint64_t before = has_entry ? atomic_load_explicit(&descriptors[descriptor], memory_order_acquire) : descriptor_ask;
  bool is = mark_read(descriptor, &mark);
  *slot = mark.slot;
  errno = code;
  if (descriptor_state(before) == descriptor_unknown && !(is && descriptor <= 2))
    keep((unsigned)descriptor, before,
         is ? (uint64_t)mark.slot << descriptor_state_bits | descriptor_divert : descriptor_other);
  return is;
}

void descriptor_forget(int descriptor) {
  if (descriptor >= 0 && descriptor < descriptor_count) change((unsigned)descriptor, descriptor_unknown);
}

void descriptor_set_other(int descriptor) {
  if (descriptor < 0 || descriptor >= descriptor_count) return;
  uint64_t entry = atomic_load_explicit(&descriptors[descriptor], memory_order_relaxed);
  if (descriptor_state(entry) != descriptor_other) change((unsigned)descriptor, descriptor_other);
}

// Of a single number everything is to be known, of a range what has been used.
static unsigned end_of(unsigned first, unsigned last) {
  unsigned count = first == last ? descriptor_count : atomic_load_explicit(&kept, memory_order_relaxed);
  return last < count ? last + 1 : count;
}

void descriptors_begin_close(unsigned first, unsigned last) {
  for (unsigned i = first, end = end_of(first, last); i < end; i++) {
    uint64_t entry = atomic_load_explicit(&descriptors[i], memory_order_relaxed);
    if (descriptor_state(entry) != descriptor_other) change(i, descriptor_ask);
  }
}

void descriptors_end_close(unsigned first, unsigned last) {
  for (unsigned i = first, end = end_of(first, last); i < end; i++) {
    uint64_t entry = atomic_load_explicit(&descriptors[i], memory_order_relaxed);
    if (descriptor_state(entry) != descriptor_other) change(i, descriptor_unknown);
  }
}
