#pragma once
// A divert socket is a packet socket that carries a mark: a socket filter that says what the socket is. The kernel
// keeps it with the socket, whoever has a descriptor for it, and shows it to everyone (SO_GET_FILTER).
//
// The filter is of use as one, too: what no client wants to read never makes the socket readable.
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

struct mark {
  uint16_t domain, protocol; // as socket(2) was asked for it
  uint16_t slot;             // where the hooks count what it writes
};

int mark_attach(int socket, struct mark mark);
bool mark_read(int descriptor, struct mark *mark);

#pragma GCC visibility pop
