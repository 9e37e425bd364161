#pragma once
// BSD's address of a diverted packet, and the frame's.
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#pragma GCC visibility push(hidden) // programs have functions of such names, too

// What recvfrom tells of a frame.
struct sockaddr_in address_of(int socket, struct frame frame);

// The frame that sendto means by an address; `start` are the packet's first bytes. Returns an errno, or 0.
int address_to_frame(int socket, const struct sockaddr_in *address, const uint8_t *start, size_t size,
                     struct frame *frame);

#pragma GCC visibility pop
