#pragma once
// The frame of a link (docs/link-frame.md), as bytes. Sources/DivertWire is the same for Swift; a test holds both
// equal.
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

enum {
  frame_header_size = 14, // 12 bytes and the EtherType
  frame_version = 2,
  frame_longest_packet = 65535,
  frame_looked_at = 44, // bytes of a packet that the functions below need to see, if it has them

  frame_outgoing = 1 << 0,
  frame_broadcast = 1 << 1,
  frame_multicast = 1 << 2,
  frame_transmit_interface = 1 << 4,

  frame_diverted = 1,
  frame_reinject = 2,
  frame_deliver = 3,
};

// The first byte of a frame.
#define frame_kind(operation) ((operation) << 4 | frame_version)

struct frame {
  uint32_t interface;
  uint16_t tag;
  uint16_t path; // where the host has written down the packet's path
  uint8_t check; // of that; 0 where it has not
  uint8_t flags;
};

// Reads what a client wants to know of a frame's header.
struct frame frame_read(const uint8_t header[frame_header_size]);

// Writes the header of a frame that puts a packet back.
void frame_write(uint8_t header[frame_header_size], struct frame frame, unsigned version);

// How long a packet is by its own header: less than `size` where the link padded it, never more.
size_t frame_packet_length(const uint8_t *start, size_t size);

// The errno with which divert(4) refuses a packet at once, or 0.
int frame_refusal(const uint8_t *start, size_t size, bool outgoing);

// How the link layer would have brought a packet to its destination: divert(4) restores it from the packet.
uint8_t frame_arrival(const uint8_t *start, size_t size);

#pragma GCC visibility pop
