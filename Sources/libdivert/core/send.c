// Writing: packets and BSD's addresses come in, frames go out. No lock, no allocation: safe in signal handlers.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "calls.h"
#include "counts.h"
#include "descriptors.h"
#include "divert.h"

enum { at_once = 16 };

// The header for a packet. Returns an errno, or 0.
static int prepare(int socket, const struct msghdr *message, uint8_t header[frame_header_size]) {
  uint8_t gathered[frame_looked_at];
  const uint8_t *start = gathered;
  struct sockaddr_in address;
  struct frame frame;
  if (message->msg_name == NULL || message->msg_namelen == 0) return EDESTADDRREQ;
  // BSD looks at the packet's size before it looks at the address.
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  if (size > frame_longest_packet) return EMSGSIZE;
  if (size < 20 || message->msg_namelen < sizeof(sa_family_t)) return EINVAL;
  memcpy(&address, message->msg_name, message->msg_namelen < sizeof address ? message->msg_namelen : sizeof address);
  if (address.sin_family != AF_INET) return EAFNOSUPPORT;
  if (message->msg_namelen < sizeof address) return EINVAL;
  if (message->msg_iovlen > 0 && message->msg_iov[0].iov_len >= sizeof gathered) {
    start = message->msg_iov[0].iov_base;
  } else {
    memset(gathered, 0, sizeof gathered);
    copy_start(gathered, sizeof gathered, message->msg_iov, message->msg_iovlen);
  }
  int code = address_to_frame(socket, &address, start, size, &frame);
  if (code == 0) frame_write(header, frame, start[0] >> 4);
  return code;
}

static int refuse(int code) {
  errno = code;
  return -1;
}

// The kernel has one answer for a frame that a hook drops on its way out, ENOBUFS, and none for a packet that a rule
// takes; the hooks count both.
static ssize_t tell(ssize_t count, uint16_t slot, const struct counts_write *write) {
  int code = counts_end(slot, write);
  if (count < 0 && errno != ENOBUFS) return -1;
  if (count < 0) return refuse(code != 0 ? code : ENOBUFS);
  return code == EACCES ? refuse(code) : count - frame_header_size;
}

// A copy of what an Ethernet carries costs less than to make the kernel look at two places. Control data is thrown away,
// as BSD does.
static ssize_t send_frame(int socket, const uint8_t header[frame_header_size], const struct iovec *packet,
                          size_t pieces, int flags) {
  uint8_t frame[frame_header_size + 1500];
  if (pieces == 1 && packet->iov_len <= sizeof frame - frame_header_size) {
    memcpy(frame, header, frame_header_size);
    memcpy(frame + frame_header_size, packet->iov_base, packet->iov_len);
    return kernel_send(socket, frame, frame_header_size + packet->iov_len, flags);
  }
  struct iovec vector[pieces + 1];
  vector[0] = (struct iovec){(void *)header, frame_header_size};
  for (size_t i = 0; i < pieces; i++) vector[1 + i] = packet[i];
  return kernel_sendmsg(socket, &(struct msghdr){.msg_iov = vector, .msg_iovlen = pieces + 1}, flags);
}

// From more pieces than the kernel takes beside the header. Apart, for the stack that it needs.
__attribute__((noinline)) static ssize_t send_gathered(int socket, const uint8_t header[frame_header_size],
                                                       const struct msghdr *message, int flags) {
  uint8_t packet[frame_longest_packet];
  struct iovec whole = {packet, copy_start(packet, sizeof packet, message->msg_iov, message->msg_iovlen)};
  return send_frame(socket, header, &whole, 1, flags);
}

ssize_t divert_sendmsg(int socket, const struct msghdr *message, int flags) {
  uint8_t header[frame_header_size];
  if (message->msg_iovlen > IOV_MAX) return refuse(EMSGSIZE);
  int code = prepare(socket, message, header);
  if (code != 0) return refuse(code);
  uint16_t slot = counts_nowhere;
  descriptor_is_divert(socket, &slot);
  struct counts_write write;
  counts_begin(slot, &write);
  ssize_t count = message->msg_iovlen < IOV_MAX
                      ? send_frame(socket, header, message->msg_iov, message->msg_iovlen, flags)
                      : send_gathered(socket, header, message, flags);
  return tell(count, slot, &write);
}

ssize_t divert_sendto(int socket, const void *packet, size_t size, int flags, const struct sockaddr *address,
                      socklen_t length) {
  struct iovec vector = {(void *)packet, size};
  struct msghdr message = {
      .msg_name = (void *)address, .msg_namelen = length, .msg_iov = &vector, .msg_iovlen = 1};
  return divert_sendmsg(socket, &message, flags);
}

// Sends the first of the messages that can go to the kernel by one call; `code` is what refuses the next one.
static int send_some(int socket, struct mmsghdr *messages, unsigned count, int flags, int *code) {
  uint8_t headers[at_once][frame_header_size];
  struct iovec vectors[at_once][2];
  struct mmsghdr frames[at_once] = {0};
  unsigned ready = 0;
  *code = 0;
  while (ready < count && ready < at_once && messages[ready].msg_hdr.msg_iovlen == 1) {
    *code = prepare(socket, &messages[ready].msg_hdr, headers[ready]);
    if (*code != 0) break;
    vectors[ready][0] = (struct iovec){headers[ready], frame_header_size};
    vectors[ready][1] = messages[ready].msg_hdr.msg_iov[0];
    frames[ready].msg_hdr.msg_iov = vectors[ready];
    frames[ready].msg_hdr.msg_iovlen = 2;
    ready++;
  }
  // One by one they get errors of their own.
  if (ready == 0 || (ready == 1 && *code == 0)) return 0;
  uint16_t slot = counts_nowhere;
  descriptor_is_divert(socket, &slot);
  struct counts_write write;
  counts_begin(slot, &write);
  int went = kernel_sendmmsg(socket, frames, ready, flags);
  counts_end(slot, &write);
  if (went < (int)ready) *code = 0;
  if (went < 0 && errno == ENOBUFS) return 0;
  for (int i = 0; i < went; i++) messages[i].msg_len = frames[i].msg_len - frame_header_size;
  return went;
}

int divert_sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  unsigned done = 0;
  while (done < count) {
    int code;
    int went = send_some(socket, messages + done, count - done, flags, &code);
    if (went == 0 && code == 0) {
      ssize_t length = divert_sendmsg(socket, &messages[done].msg_hdr, flags);
      if (length >= 0) went = 1, messages[done].msg_len = (unsigned)length;
      else went = -1;
    }
    if (went > 0) done += (unsigned)went;
    // As sendmmsg(2) has it: an error is told when it is the first message's; of a later one, by the count.
    if (code != 0) return done > 0 ? (int)done : refuse(code);
    if (went < 0) return done > 0 ? (int)done : -1;
  }
  return (int)done;
}
