#define _GNU_SOURCE
#include "counts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

enum {
  slot_words = 16,
  part_size = 1 << 16, // whole pages on every machine
  part_slots = part_size / (slot_words * 8),
  part_count = 32,
};

// The memory shared with the hooks, and behind it, shared with forked processes, what it held when a socket got its slot
// and who writes by the socket: how many do, and above that how many have begun. Beside each other: a page more to look
// at costs each write some 30 ns.
struct beside {
  _Atomic uint64_t before[slot_words - 1], writes;
};
struct part {
  _Atomic uint64_t now[part_slots][slot_words];
  struct beside beside[part_slots];
};
static const uint64_t one_begun = (uint64_t)1 << 32, all_under_way = UINT32_MAX;

static struct part *_Atomic parts[part_count];

static struct part *map_part(int memory, unsigned number) {
  const int inherited = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
  struct part *part = mmap(NULL, sizeof *part, PROT_READ | PROT_WRITE, inherited, -1, 0);
  if (part == MAP_FAILED) return NULL;
  void *shared = mmap(part->now, part_size, PROT_READ, MAP_SHARED | MAP_FIXED, memory, (off_t)number * part_size);
  struct part *none = NULL;
  if (shared != MAP_FAILED && atomic_compare_exchange_strong(&parts[number], &none, part)) return part;
  munmap(part, sizeof *part);
  return none; // another thread's
}

void counts_map(int memory, uint16_t slot) {
  unsigned number = slot / part_slots, at = slot % part_slots;
  if (number >= part_count) return;
  struct part *part = atomic_load(&parts[number]);
  if (part == NULL) part = map_part(memory, number);
  if (part == NULL) return;
  for (int i = 0; i < count_count; i++) atomic_store(&part->beside[at].before[i], atomic_load(&part->now[at][i]));
  atomic_store(&part->beside[at].writes, 0);
}

static struct part *part_of(uint16_t slot) {
  unsigned number = slot / part_slots;
  return number < part_count ? atomic_load_explicit(&parts[number], memory_order_acquire) : NULL;
}

struct counts counts_read(uint16_t slot) {
  struct counts counts = {0};
  unsigned at = slot % part_slots;
  struct part *part = part_of(slot);
  for (int i = 0; part != NULL && i < count_count; i++)
    counts.values[i] = atomic_load_explicit(&part->now[at][i], memory_order_relaxed) -
                       atomic_load_explicit(&part->beside[at].before[i], memory_order_relaxed);
  return counts;
}

static const struct {
  enum count count;
  int code;
} reasons[count_reasons] = {
    {count_no_route, EHOSTUNREACH},
    {count_too_big, EMSGSIZE},
    {count_no_interface, EADDRNOTAVAIL},
    {count_bad_frame, EINVAL},
    {count_no_multicast_interface, ENETUNREACH},
    {count_denied, EACCES},
};

static uint64_t reason_now(const struct part *part, uint16_t slot, int reason) {
  return atomic_load_explicit(&part->now[slot % part_slots][reasons[reason].count], memory_order_relaxed);
}

void counts_begin(uint16_t slot, struct counts_write *write) {
  struct part *part = part_of(slot);
  if (part == NULL) return;
  write->turn = atomic_fetch_add(&part->beside[slot % part_slots].writes, one_begun + 1);
  for (int i = 0; i < count_reasons; i++) write->before[i] = reason_now(part, slot, i);
}

// A thread cancelled in between is under way for ever: that a write of the socket's was denied is then no more told.
int counts_end(uint16_t slot, const struct counts_write *write) {
  struct part *part = part_of(slot);
  if (part == NULL) return 0;
  int code = 0;
  for (int i = 0; i < count_reasons && code == 0; i++)
    if (reason_now(part, slot, i) != write->before[i]) code = reasons[i].code;
  uint64_t turn = atomic_fetch_sub(&part->beside[slot % part_slots].writes, 1);
  bool was_alone = (write->turn & all_under_way) == 0 && turn == write->turn + one_begun + 1;
  return code == EACCES && !was_alone ? 0 : code;
}
