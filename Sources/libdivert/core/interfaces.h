#pragma once
// The interfaces of this network namespace, asked for through the divert socket itself. What the kernel has answered is
// kept for a second. Nothing here locks or allocates: the data calls may be made in signal handlers.
#include <stdint.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

struct interface {
  uint32_t first_address; // in network byte order, the first in order of configuration; 0 for none
  char name[16];
};

// What an index stands for; an empty name for an interface that is gone.
struct interface interface_at(int socket, uint32_t index);

// 0 for none.
uint32_t interface_named(int socket, const char *name);
uint32_t interface_owning(int socket, uint32_t address);

#pragma GCC visibility pop
