#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "interfaces.h"

// The 8 bytes behind the IP address hold the name of the receive interface, if it fits (divert(4)): at most 7
// characters and a zero. A first byte of zero says that there is no name, and BSD looks no further. Behind it we put
// the interface's index, for the way back only: of the interface with a longer name, or, of packets made by this host,
// of the one that a multicast or link-local packet is to leave by.
enum { no_name = 0, received_on = 'r', transmitted_on = 't', hint_end = 0xd1 };

static void write_hint(struct sockaddr_in *address, struct frame frame) {
  uint32_t index = htonl(frame.interface);
  address->sin_zero[0] = no_name;
  address->sin_zero[1] = frame.flags & frame_transmit_interface ? transmitted_on : received_on;
  address->sin_zero[3] = hint_end;
  memcpy(address->sin_zero + 4, &index, sizeof index);
}

static void read_hint(const struct sockaddr_in *address, struct frame *frame) {
  const unsigned char *bytes = address->sin_zero;
  if (bytes[0] != no_name || bytes[2] != 0 || bytes[3] != hint_end) return;
  if (bytes[1] != received_on && bytes[1] != transmitted_on) return;
  memcpy(&frame->interface, bytes + 4, sizeof frame->interface);
  frame->interface = ntohl(frame->interface);
  if (bytes[1] == transmitted_on) frame->flags |= frame_transmit_interface;
}

struct sockaddr_in address_of(int socket, struct frame frame) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = frame.tag; // in host order: it is a rule's number, no port
  if (frame.flags & frame_transmit_interface) {
    write_hint(&address, frame);
    return address;
  }
  struct interface interface = interface_at(socket, frame.interface);
  if (!(frame.flags & frame_outgoing)) address.sin_addr.s_addr = interface.first_address;
  if (strlen(interface.name) < sizeof address.sin_zero)
    memcpy(address.sin_zero, interface.name, strlen(interface.name));
  else
    write_hint(&address, frame);
  return address;
}

int address_to_frame(int socket, const struct sockaddr_in *address, const uint8_t *start, size_t size,
                     struct frame *frame) {
  int outgoing = address->sin_addr.s_addr == INADDR_ANY;
  *frame = (struct frame){.tag = address->sin_port, .flags = outgoing ? frame_outgoing : 0};
  int code = frame_refusal(start, size, outgoing);
  if (code != 0) return code;
  const char *name = (const char *)address->sin_zero;
  if (name[0] != 0 && memchr(name, 0, sizeof address->sin_zero) != NULL)
    frame->interface = interface_named(socket, name);
  else
    read_hint(address, frame);
  if (outgoing) return 0;
  frame->flags = frame_arrival(start, size);
  if (frame->interface == 0) frame->interface = interface_owning(socket, address->sin_addr.s_addr);
  return frame->interface == 0 ? EADDRNOTAVAIL : 0;
}
