#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "interfaces.h"
#include "recent.h"

// The 8 bytes behind the IP address hold the name of the receive interface, if it fits (divert(4)): at most 7
// characters and a zero. A first byte of zero says that there is no name, and BSD looks no further. In what is behind the
// zero we put, for the way back only, where the host has written down the packet's path, and where there is no name the
// index of the interface: of one with a longer name, or, of packets made by this host, of the one that a multicast or
// link-local packet is to leave by. An index above 24 bits has no room: the path says it, too.
enum {
  no_name = 0,
  received_on = 0xd1,
  transmitted_on = 0xd2,
  longest_with_path = 4, // characters of a name that leaves room for a path
  most_hinted = (1 << 24) - 1,
};

static void write_hint(uint8_t zero[8], struct frame frame) {
  uint32_t index = frame.interface <= most_hinted ? frame.interface : 0;
  zero[0] = no_name;
  zero[1] = frame.flags & frame_transmit_interface ? transmitted_on : received_on;
  zero[2] = (uint8_t)(index >> 16), zero[3] = (uint8_t)(index >> 8), zero[4] = (uint8_t)index;
}

static void write_path(uint8_t zero[8], struct frame frame) {
  zero[5] = (uint8_t)(frame.path >> 8), zero[6] = (uint8_t)frame.path;
  zero[7] = frame.check;
}

static void read_path(const uint8_t zero[8], struct frame *frame) {
  frame->path = (uint16_t)(zero[5] << 8 | zero[6]);
  frame->check = zero[7];
}

static void read_hint(const uint8_t zero[8], struct frame *frame) {
  if (zero[0] != no_name || (zero[1] != received_on && zero[1] != transmitted_on)) return;
  frame->interface = (uint32_t)zero[2] << 16 | (uint32_t)zero[3] << 8 | zero[4];
  if (zero[1] == transmitted_on && frame->interface != 0) frame->flags |= frame_transmit_interface;
  read_path(zero, frame);
}

struct sockaddr_in address_of(int socket, struct frame frame) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = frame.tag; // in host order: it is a rule's number, no port
  if (frame.flags & frame_transmit_interface) {
    write_hint(address.sin_zero, frame);
    write_path(address.sin_zero, frame);
    return address;
  }
  struct interface interface = interface_at(socket, frame.interface);
  if (!(frame.flags & frame_outgoing)) address.sin_addr.s_addr = interface.first_address;
  size_t length = strlen(interface.name);
  if (length < sizeof address.sin_zero) memcpy(address.sin_zero, interface.name, length);
  else write_hint(address.sin_zero, frame);
  if (length <= longest_with_path || length >= sizeof address.sin_zero) write_path(address.sin_zero, frame);
  return address;
}

int address_to_frame(int socket, const struct sockaddr_in *address, const uint8_t *start, size_t size,
                     struct frame *frame) {
  int outgoing = address->sin_addr.s_addr == INADDR_ANY;
  *frame = (struct frame){.tag = address->sin_port, .flags = outgoing ? frame_outgoing : 0};
  int code = frame_refusal(start, size, outgoing);
  if (code != 0) return code;
  const uint8_t *name = address->sin_zero;
  if (name[0] != 0 && memchr(name, 0, sizeof address->sin_zero) != NULL) {
    frame->interface = interface_named(socket, (const char *)name);
    if (strlen((const char *)name) <= longest_with_path) read_path(name, frame);
  } else {
    read_hint(name, frame);
  }
  bool is_placed = frame->interface != 0 || frame->check != 0;
  recent_find(socket, frame, start, size);
  if (outgoing) return 0;
  frame->flags = frame_arrival(start, size);
  if (frame->interface == 0) frame->interface = interface_owning(socket, address->sin_addr.s_addr);
  return frame->interface == 0 && !is_placed ? EADDRNOTAVAIL : 0;
}
