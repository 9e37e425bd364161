#include "descriptors.h"

#include <divert.h>

_Atomic uint32_t descriptors[descriptor_count];

// One more than the greatest number that anything is kept for: what a call closes is often all up to the last one.
static atomic_uint kept;

static void change(unsigned descriptor, uint32_t state) {
  uint32_t entry = atomic_load_explicit(&descriptors[descriptor], memory_order_relaxed);
  uint32_t changed;
  do changed = ((entry + descriptor_change) & ~(uint32_t)descriptor_state_mask) | state;
  while (!atomic_compare_exchange_weak(&descriptors[descriptor], &entry, changed));
}

static void keep(unsigned descriptor, uint32_t before, uint32_t state) {
  unsigned count = atomic_load_explicit(&kept, memory_order_relaxed);
  while (count <= descriptor && !atomic_compare_exchange_weak(&kept, &count, descriptor + 1)) {}
  atomic_compare_exchange_strong(&descriptors[descriptor], &before, before | state);
}

bool descriptor_is_divert_slowly(int descriptor) {
  if (descriptor < 0) return false;
  if (descriptor >= descriptor_count) return divert_is_socket(descriptor);
  uint32_t before = atomic_load_explicit(&descriptors[descriptor], memory_order_acquire);
  bool is = divert_is_socket(descriptor);
  if ((before & descriptor_state_mask) == descriptor_unknown && !(is && descriptor <= 2))
    keep((unsigned)descriptor, before, is ? descriptor_divert : descriptor_other);
  return is;
}

void descriptor_forget(int descriptor) {
  if (descriptor >= 0 && descriptor < descriptor_count) change((unsigned)descriptor, descriptor_unknown);
}

// Of a single number everything is to be known, of a range what has been used.
static unsigned end_of(unsigned first, unsigned last) {
  unsigned count = first == last ? descriptor_count : atomic_load_explicit(&kept, memory_order_relaxed);
  return last < count ? last + 1 : count;
}

void descriptors_begin_close(unsigned first, unsigned last) {
  for (unsigned i = first, end = end_of(first, last); i < end; i++) {
    uint32_t entry = atomic_load_explicit(&descriptors[i], memory_order_relaxed);
    if ((entry & descriptor_state_mask) != descriptor_other) change(i, descriptor_ask);
  }
}

void descriptors_end_close(unsigned first, unsigned last) {
  for (unsigned i = first, end = end_of(first, last); i < end; i++) {
    uint32_t entry = atomic_load_explicit(&descriptors[i], memory_order_relaxed);
    if ((entry & descriptor_state_mask) != descriptor_other) change(i, descriptor_unknown);
  }
}
