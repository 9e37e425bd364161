#include "frame.h"

#include <errno.h>

static uint16_t number16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static uint32_t number32(const uint8_t *bytes) {
  return (uint32_t)number16(bytes) << 16 | number16(bytes + 2);
}

struct frame frame_read(const uint8_t header[frame_header_size]) {
  return (struct frame){.flags = header[1], .tag = number16(header + 2), .interface = number32(header + 4),
                        .path = number16(header + 8), .check = header[10]};
}

void frame_write(uint8_t header[frame_header_size], struct frame frame, unsigned version) {
  // One pass: a BSD address has no room to count them in.
  const uint8_t bytes[frame_header_size] = {
      frame_kind(frame_reinject), frame.flags, frame.tag >> 8, frame.tag & 0xff,
      frame.interface >> 24, frame.interface >> 16 & 0xff, frame.interface >> 8 & 0xff, frame.interface & 0xff,
      frame.path >> 8, frame.path & 0xff, frame.check, 1,
      version == 6 ? 0x86 : 0x08, version == 6 ? 0xdd : 0x00,
  };
  __builtin_memcpy(header, bytes, sizeof bytes);
}

size_t frame_packet_length(const uint8_t *start, size_t size) {
  size_t length;
  if (size < 20) return size;
  if (start[0] >> 4 == 4) {
    length = number16(start + 2);
  } else if (start[0] >> 4 == 6 && size >= 40) {
    size_t payload = number16(start + 4);
    length = payload == 0 ? size : 40 + payload; // 0: a jumbo payload (RFC 2675)
  } else {
    return size;
  }
  return length >= 20 && length < size ? length : size;
}

int frame_refusal(const uint8_t *start, size_t size, bool outgoing) {
  if (size < 20) return EINVAL;
  if (size > frame_longest_packet) return EMSGSIZE;
  unsigned version = start[0] >> 4;
  if (version != 4 && version != 6) return EAFNOSUPPORT;
  size_t length = version == 4 ? number16(start + 2) : 40u + number16(start + 4);
  return outgoing && length > size ? EINVAL : 0;
}

uint8_t frame_arrival(const uint8_t *start, size_t size) {
  if (start[0] >> 4 == 6) return size >= 40 && start[24] == 0xff ? frame_multicast : 0;
  uint32_t destination = number32(start + 16);
  if (destination == UINT32_MAX) return frame_broadcast;
  return destination >> 28 == 0xe ? frame_multicast : 0;
}
