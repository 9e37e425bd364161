#pragma once
// The packets read last, and where the host has written down the path of each: for programs that do not give a packet's
// address back as they got it (Python's have no room for all of it), and for names that leave no room.
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#pragma GCC visibility push(hidden) // programs have functions of such names, too

// Keeps the path of a packet that was read; `start` are its first bytes.
void recent_keep(int socket, struct frame frame, const uint8_t *start, size_t size);

// Gives a frame without a path that of the packet: known by its addresses, or else, where its program has changed it, that
// of the last packet that was read on the socket and diverted by the same rule in the same direction.
void recent_find(int socket, struct frame *frame, const uint8_t *start, size_t size);

#pragma GCC visibility pop
