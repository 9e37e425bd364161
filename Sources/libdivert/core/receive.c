// Reading: frames come in, packets and BSD's addresses go out. No lock, no allocation: safe in signal handlers.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "calls.h"
#include "divert.h"
#include "recent.h"

enum { at_once = 16 }; // messages of a batch that go to the kernel together

// The pieces of one message: a place for the header, the caller's own, and one for the start of a packet that the
// caller's have no room for: its length is in there.
struct pieces {
  uint8_t header[frame_header_size], rest[frame_looked_at];
  size_t room;
};

static int refuse(int code) {
  errno = code;
  return -1;
}

// A raw socket receives with any flag and passes over those that mean nothing to it (MSG_WAITALL, MSG_NOSIGNAL); a packet
// socket refuses them. There is no urgent data, on BSD (recv(2)) and on Linux (raw_recvmsg).
static int understood(int flags) {
  return flags & (MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_ERRQUEUE | MSG_WAITFORONE);
}

static size_t room_in(const struct iovec *vector, size_t count) {
  size_t room = 0;
  for (size_t i = 0; i < count; i++) room += vector[i].iov_len;
  return room;
}

static void lay_out(struct pieces *pieces, struct iovec *vector, const struct msghdr *message) {
  vector[0] = (struct iovec){pieces->header, sizeof pieces->header};
  for (size_t i = 0; i < message->msg_iovlen; i++) vector[1 + i] = message->msg_iov[i];
  vector[message->msg_iovlen + 1] = (struct iovec){pieces->rest, sizeof pieces->rest};
  pieces->room = room_in(message->msg_iov, message->msg_iovlen);
}

size_t copy_start(uint8_t *start, size_t size, const struct iovec *vector, size_t count) {
  size_t copied = 0;
  for (size_t i = 0; i < count && copied < size; i++) {
    size_t part = vector[i].iov_len < size - copied ? vector[i].iov_len : size - copied;
    if (part > 0) memcpy(start + copied, vector[i].iov_base, part); // of nothing the address may be NULL
    copied += part;
  }
  return copied;
}

// Makes of what the kernel says of a frame what BSD says of a packet. `count` is the frame's whole length.
static ssize_t tell(int socket, struct msghdr *message, const struct pieces *pieces, const struct iovec *vector,
                    size_t count, int flags) {
  uint8_t start[frame_looked_at];
  size_t length = count - frame_header_size;
  copy_start(start, length < sizeof start ? length : sizeof start, vector + 1, message->msg_iovlen + 1);
  length = frame_packet_length(start, length);
  message->msg_flags &= ~MSG_TRUNC;
  if (length > pieces->room) message->msg_flags |= MSG_TRUNC;
  struct frame frame = frame_read(pieces->header);
  recent_keep(socket, frame, start, length);
  if (message->msg_name != NULL) {
    struct sockaddr_in address = address_of(socket, frame);
    memcpy(message->msg_name, &address, message->msg_namelen < sizeof address ? message->msg_namelen : sizeof address);
    message->msg_namelen = sizeof address;
  }
  return (ssize_t)(length > pieces->room && !(flags & MSG_TRUNC) ? pieces->room : length);
}

static void scatter(const uint8_t *bytes, size_t size, const struct iovec *vector, size_t count) {
  for (size_t i = 0; i < count && size > 0; i++) {
    size_t part = vector[i].iov_len < size ? vector[i].iov_len : size;
    if (part > 0) memcpy(vector[i].iov_base, bytes, part);
    bytes += part;
    size -= part;
  }
}

// Into more pieces than the kernel takes beside ours. Apart, for the stack that it needs.
__attribute__((noinline)) static ssize_t receive_scattered(int socket, struct msghdr *message, int flags) {
  uint8_t packet[frame_longest_packet];
  size_t room = room_in(message->msg_iov, message->msg_iovlen);
  struct iovec whole = {packet, room < sizeof packet ? room : sizeof packet};
  struct msghdr gathered = *message;
  gathered.msg_iov = &whole;
  gathered.msg_iovlen = 1;
  ssize_t length = divert_recvmsg(socket, &gathered, flags);
  if (length < 0) return -1;
  scatter(packet, (size_t)length < whole.iov_len ? (size_t)length : whole.iov_len, message->msg_iov,
          message->msg_iovlen);
  gathered.msg_iov = message->msg_iov;
  gathered.msg_iovlen = message->msg_iovlen;
  *message = gathered;
  return length;
}

ssize_t divert_recvmsg(int socket, struct msghdr *message, int flags) {
  if (flags & MSG_OOB) return refuse(EOPNOTSUPP);
  flags = understood(flags) & ~MSG_WAITFORONE;
  if (flags & MSG_ERRQUEUE) return kernel_recvmsg(socket, message, flags);
  if (message->msg_iovlen > IOV_MAX) return refuse(EMSGSIZE);
  if (message->msg_iovlen > IOV_MAX - 2) return receive_scattered(socket, message, flags);
  struct pieces pieces;
  struct iovec vector[message->msg_iovlen + 2];
  lay_out(&pieces, vector, message);
  struct msghdr frame = *message;
  frame.msg_name = NULL;
  frame.msg_namelen = 0;
  frame.msg_iov = vector;
  frame.msg_iovlen += 2;
  ssize_t count = kernel_recvmsg(socket, &frame, flags | MSG_TRUNC);
  if (count < frame_header_size) return count < 0 ? -1 : 0;
  message->msg_controllen = frame.msg_controllen;
  message->msg_flags = frame.msg_flags;
  return tell(socket, message, &pieces, vector, (size_t)count, flags);
}

// Into a buffer that takes the largest frame there is (a link's MTU is 65 521 bytes), which is what most programs have:
// one piece costs the kernel a tenth of all less than three, and the packet moves to its place.
static ssize_t receive_whole(int socket, uint8_t *buffer, int flags, struct sockaddr *address, socklen_t *length) {
  ssize_t count = kernel_recv(socket, buffer, frame_longest_packet, flags);
  if (count < frame_header_size) return count < 0 ? -1 : 0;
  struct frame frame = frame_read(buffer);
  size_t size = frame_packet_length(buffer + frame_header_size, (size_t)count - frame_header_size);
  memmove(buffer, buffer + frame_header_size, size);
  recent_keep(socket, frame, buffer, size);
  if (address != NULL) {
    struct sockaddr_in name = address_of(socket, frame);
    memcpy(address, &name, *length < sizeof name ? *length : sizeof name);
    *length = sizeof name;
  }
  return (ssize_t)size;
}

ssize_t divert_recvfrom(int socket, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length) {
  if (size >= frame_longest_packet && !(flags & (MSG_ERRQUEUE | MSG_OOB)))
    return receive_whole(socket, buffer, understood(flags) & ~MSG_WAITFORONE, length != NULL ? address : NULL, length);
  struct iovec vector = {buffer, size};
  struct msghdr message = {.msg_name = address, .msg_iov = &vector, .msg_iovlen = 1};
  if (address != NULL && length != NULL) message.msg_namelen = *length;
  if (length == NULL) message.msg_name = NULL;
  ssize_t count = divert_recvmsg(socket, &message, flags);
  if (count >= 0 && message.msg_name != NULL) *length = message.msg_namelen;
  return count;
}

// MARK: Batches

// As many messages as are like the usual ones, with one piece each.
static unsigned simple(const struct mmsghdr *messages, unsigned count) {
  unsigned n = 0;
  while (n < count && n < at_once && messages[n].msg_hdr.msg_iovlen == 1) n++;
  return n;
}

static int receive_some(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  struct pieces pieces[at_once];
  struct iovec vectors[at_once][3];
  struct mmsghdr frames[at_once];
  for (unsigned i = 0; i < count; i++) {
    lay_out(&pieces[i], vectors[i], &messages[i].msg_hdr);
    frames[i] = messages[i];
    frames[i].msg_hdr.msg_name = NULL;
    frames[i].msg_hdr.msg_namelen = 0;
    frames[i].msg_hdr.msg_iov = vectors[i];
    frames[i].msg_hdr.msg_iovlen = 3;
  }
  int came = kernel_recvmmsg(socket, frames, count, flags | MSG_TRUNC);
  for (int i = 0; i < came; i++) {
    struct msghdr *message = &messages[i].msg_hdr;
    message->msg_controllen = frames[i].msg_hdr.msg_controllen;
    message->msg_flags = frames[i].msg_hdr.msg_flags;
    messages[i].msg_len = (unsigned)tell(socket, message, &pieces[i], vectors[i], frames[i].msg_len, flags);
  }
  return came;
}

int divert_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  if (flags & MSG_OOB) return refuse(EOPNOTSUPP);
  flags = understood(flags);
  unsigned done = 0;
  while (done < count) {
    // What has come is not kept back: only the first wait is the caller's, if it is to be for one (MSG_WAITFORONE).
    int now = done > 0 && flags & MSG_WAITFORONE ? flags | MSG_DONTWAIT : flags;
    unsigned some = simple(messages + done, count - done);
    int came = some > 0 ? receive_some(socket, messages + done, some, now) : -1;
    if (some == 0) {
      ssize_t length = divert_recvmsg(socket, &messages[done].msg_hdr, now & ~MSG_WAITFORONE);
      if (length >= 0) came = 1, messages[done].msg_len = (unsigned)length;
    }
    if (came < 0) return done > 0 ? (int)done : -1;
    done += (unsigned)came;
    if ((unsigned)came < some) break;
  }
  return (int)done;
}
