#pragma once
// Where the kernel's hooks count what a socket writes (docs/control-messages.md, `counts`).
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

enum count {
  count_incoming,
  count_outgoing,
  count_bad_frame,
  count_no_interface,
  count_no_route,
  count_too_big,
  count_denied,
  count_bad_checksum,
  count_no_multicast_interface,
  count_count,
};

enum { counts_nowhere = 0xffff, count_reasons = 6 };

struct counts {
  uint64_t values[count_count];
};

// Maps the part of the memory that holds a slot, and takes note of what an earlier socket has left in it. A mapping
// needs no descriptor.
void counts_map(int memory, uint16_t slot);

// What is counted since; zeros where nothing is mapped, as in a program that has the socket from another one.
struct counts counts_read(uint16_t slot);

// A write under way, to be judged by what is counted meanwhile. The hooks count by socket: what they have counted is this
// write's if nobody else wrote by the socket between begin and end, in this process or one that shares it by fork.
struct counts_write {
  uint64_t turn;
  uint64_t before[count_reasons];
};

void counts_begin(uint16_t slot, struct counts_write *write);

// Ends it and says why the kernel has refused a frame in between: an errno, 0 if nothing tells. EACCES is told only of a
// write that was alone.
int counts_end(uint16_t slot, const struct counts_write *write);

#pragma GCC visibility pop
