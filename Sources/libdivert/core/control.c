#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "counts.h"

// The calls go to the kernel itself: this library may be the one that answers to their names.
#define kernel(call, ...)                                      \
  __extension__({                                              \
    long result;                                               \
    do result = syscall(SYS_##call, __VA_ARGS__);              \
    while (result == -1 && errno == EINTR);                    \
    result;                                                    \
  })

enum kind {
  open_kind = 1,
  bind_kind = 2,
  counts_kind = 4,
  opened_kind = 129,
  bound_kind = 130,
  counted_kind = 132,
  failed_kind = 255,
};

// MARK: Reaching divertd

// The superuser's, as divertd is, or this user's own: an abstract name is anyone's to take while divertd does not have it,
// and so is a path in a directory of others.
static int is_trusted(int connection) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return kernel(getsockopt, connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

// A divertd that is stopped holds a program up no longer than this, for each read and write.
static void limit_time(int connection) {
  struct timeval limit = {.tv_sec = 30};
  kernel(setsockopt, connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  kernel(setsockopt, connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// The same name twice: as a path, and as an abstract name of the network namespace, which is in reach of a program that
// has changed its root directory.
static int reach(void) {
  const char *path = secure_getenv("DIVERT_SOCKET");
  if (path == NULL) path = "/run/divertd.sock";
  for (int abstract = 0; abstract <= 1; abstract++) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) break;
    memcpy(address.sun_path + abstract, path, length);
    int connection = (int)kernel(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) return -1;
    limit_time(connection);
    if (kernel(connect, connection, &address, offsetof(struct sockaddr_un, sun_path) + abstract + length) == 0 &&
        is_trusted(connection))
      return connection;
    kernel(close, connection);
  }
  errno = EPROTONOSUPPORT;
  return -1;
}

// MARK: A question and its answer

// Room for one descriptor, and for all that a message may bring (SCM_MAX_FD).
enum { most_descriptors = 253 };

union right {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

union rights {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(most_descriptors * sizeof(int))];
};

// divertd has ended, or ends just now; or it does not answer.
static int ended(void) {
  if (errno == EPIPE || errno == ECONNRESET) errno = EPROTONOSUPPORT;
  if (errno == EAGAIN) errno = ETIMEDOUT;
  return -1;
}

static int send_question(int connection, const uint8_t *question, size_t size, int descriptor) {
  struct iovec vector = {.iov_base = (void *)question, .iov_len = size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  union right right = {.header = {
    .cmsg_len = CMSG_LEN(sizeof descriptor), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  if (descriptor >= 0) {
    memcpy(CMSG_DATA(&right.header), &descriptor, sizeof descriptor);
    message.msg_control = &right;
    message.msg_controllen = sizeof right;
  }
  // So short a message goes whole, or not at all. Where divertd has hung up, it may have said why.
  if (kernel(sendmsg, connection, &message, MSG_NOSIGNAL) == (long)size) return 0;
  return errno == EPIPE || errno == ECONNRESET ? 0 : ended();
}

static void close_all(const int *descriptors, size_t count) {
  for (size_t i = 0; i < count; i++) kernel(close, descriptors[i]);
}

// Takes the descriptors that came with a message: one at most, and one in all. What is more is closed, and no answer.
static int take(struct msghdr *message, int *descriptor) {
  int result = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int received[most_descriptors];
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof *received;
    memcpy(received, CMSG_DATA(header), count * sizeof *received);
    if (count == 1 && *descriptor < 0) {
      *descriptor = received[0];
      continue;
    }
    close_all(received, count);
    errno = EPROTO;
    result = -1;
  }
  if (message->msg_flags & MSG_CTRUNC) {
    errno = EMFILE; // the kernel found no number for a descriptor
    result = -1;
  }
  return result;
}

// Reads exactly so many bytes, and the descriptor that comes along.
static int receive(int connection, uint8_t *bytes, size_t size, int *descriptor) {
  while (size > 0) {
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    union rights rights = {0};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
    long count = kernel(recvmsg, connection, &message, MSG_CMSG_CLOEXEC);
    if (count == 0) errno = ECONNRESET;
    if (count <= 0) return ended();
    if (take(&message, descriptor) != 0) return -1;
    bytes += count;
    size -= (size_t)count;
  }
  return 0;
}

// A question, and an answer of the wanted kind: length (4 bytes), kind (1), `size` bytes, and perhaps a descriptor.
struct exchange {
  const uint8_t *question;
  size_t question_size;
  int sent;
  enum kind wanted;
  uint8_t answer[6];
  size_t size;
  int received;
};

static void hang_up(int connection) {
  int code = errno;
  kernel(close, connection);
  errno = code;
}

static int receive_answer(int connection, struct exchange *exchange) {
  uint8_t head[5], code[4];
  if (receive(connection, head, sizeof head, &exchange->received) != 0) return -1;
  if (head[4] == exchange->wanted) return receive(connection, exchange->answer, exchange->size, &exchange->received);
  if (head[4] == failed_kind && receive(connection, code, sizeof code, &exchange->received) == 0)
    errno = code[2] << 8 | code[3];
  else
    errno = EPROTO;
  return -1;
}

static int ask(int connection, struct exchange *exchange) {
  exchange->received = -1;
  if (send_question(connection, exchange->question, exchange->question_size, exchange->sent) != 0) return -1;
  if (receive_answer(connection, exchange) == 0) return 0;
  if (exchange->received >= 0) hang_up(exchange->received), exchange->received = -1;
  return -1;
}

// Of a divertd that does not tell, errors are less clear; that is all.
static uint16_t ask_for_counts(int connection, int socket) {
  static const uint8_t question[] = {0, 0, 0, 1, counts_kind};
  struct exchange counts = {
      .question = question, .question_size = sizeof question, .sent = socket, .wanted = counted_kind, .size = 4};
  if (ask(connection, &counts) != 0 || counts.received < 0) return counts_nowhere;
  uint16_t slot = (uint16_t)(counts.answer[2] << 8 | counts.answer[3]);
  counts_map(counts.received, slot);
  kernel(close, counts.received);
  return slot;
}

int control_open(uint16_t *slot) {
  static const uint8_t question[] = {0, 0, 0, 1, open_kind};
  int connection = reach();
  if (connection < 0) return -1;
  struct exchange opening = {
      .question = question, .question_size = sizeof question, .sent = -1, .wanted = opened_kind, .size = 4};
  int result = ask(connection, &opening);
  if (result == 0 && opening.received >= 0) *slot = ask_for_counts(connection, opening.received);
  else if (result == 0) errno = EPROTO;
  hang_up(connection);
  return opening.received;
}

int control_bind(int socket, uint16_t port) {
  const uint8_t question[] = {0, 0, 0, 3, bind_kind, port >> 8, port & 0xff};
  int connection = reach();
  if (connection < 0) return -1;
  struct exchange binding = {
      .question = question, .question_size = sizeof question, .sent = socket, .wanted = bound_kind, .size = 6};
  int result = ask(connection, &binding);
  if (binding.received >= 0) hang_up(binding.received);
  hang_up(connection); // divertd finds out by itself when the socket is gone
  return result;
}
