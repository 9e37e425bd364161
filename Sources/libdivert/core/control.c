#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// The calls go to the kernel itself: this library may be the one that answers to their names.
#define kernel(call, ...)                                      \
  __extension__({                                              \
    long result;                                               \
    do result = syscall(SYS_##call, __VA_ARGS__);              \
    while (result == -1 && errno == EINTR);                    \
    result;                                                    \
  })

enum { open_kind = 1, bind_kind = 2, opened_kind = 129, bound_kind = 130, failed_kind = 255 };

// MARK: Reaching divertd

// The superuser's, as divertd is: anybody may take an abstract name while divertd does not have it.
static int is_of_superuser(int connection) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return kernel(getsockopt, connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
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
    if (kernel(connect, connection, &address, offsetof(struct sockaddr_un, sun_path) + abstract + length) == 0 &&
        is_of_superuser(connection))
      return connection;
    kernel(close, connection);
  }
  errno = EPROTONOSUPPORT;
  return -1;
}

// MARK: A question and its answer

union rights {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_question(int connection, const uint8_t *question, size_t size, int descriptor) {
  struct iovec vector = {.iov_base = (void *)question, .iov_len = size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  union rights rights = {.header = {
    .cmsg_len = CMSG_LEN(sizeof descriptor), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  if (descriptor >= 0) {
    memcpy(CMSG_DATA(&rights.header), &descriptor, sizeof descriptor);
    message.msg_control = &rights;
    message.msg_controllen = sizeof rights;
  }
  // So short a message goes whole, or not at all.
  return kernel(sendmsg, connection, &message, MSG_NOSIGNAL) == (long)size ? 0 : -1;
}

// Reads exactly so many bytes; a descriptor that comes along replaces *descriptor.
static int receive(int connection, uint8_t *bytes, size_t size, int *descriptor) {
  while (size > 0) {
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    union rights rights = {0};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
    long count = kernel(recvmsg, connection, &message, MSG_CMSG_CLOEXEC);
    if (count == 0) errno = EPROTONOSUPPORT; // divertd has ended meanwhile
    if (count <= 0) return -1;
    if (message.msg_flags & MSG_CTRUNC) {
      errno = EMFILE; // the kernel found no number for the descriptor
      return -1;
    }
    if (message.msg_controllen >= CMSG_LEN(sizeof(int)) && rights.header.cmsg_type == SCM_RIGHTS)
      memcpy(descriptor, CMSG_DATA(&rights.header), sizeof(int));
    bytes += count;
    size -= (size_t)count;
  }
  return 0;
}

// Length (4 bytes), kind (1), and what lies in front of any text.
static int ask(int connection, const uint8_t *question, size_t size, int sent, uint8_t wanted, int *received) {
  uint8_t answer[5], code[4];
  if (send_question(connection, question, size, sent) != 0) return -1;
  if (receive(connection, answer, sizeof answer, received) != 0) return -1;
  if (answer[4] == wanted) return 0;
  if (answer[4] == failed_kind && receive(connection, code, sizeof code, received) == 0)
    errno = code[2] << 8 | code[3];
  else
    errno = EPROTO;
  return -1;
}

// Asks and hangs up; divertd finds out by itself when a socket is gone.
static int converse(const uint8_t *question, size_t size, int sent, uint8_t wanted, int *received) {
  int connection = reach();
  if (connection < 0) return -1;
  int result = ask(connection, question, size, sent, wanted, received);
  int code = errno;
  kernel(close, connection);
  errno = code;
  return result;
}

int control_open(void) {
  static const uint8_t question[] = {0, 0, 0, 1, open_kind};
  int socket = -1;
  if (converse(question, sizeof question, -1, opened_kind, &socket) == 0) {
    if (socket < 0) errno = EPROTO;
    return socket;
  }
  int code = errno;
  if (socket >= 0) kernel(close, socket);
  errno = code;
  return -1;
}

int control_bind(int socket, uint16_t port) {
  const uint8_t question[] = {0, 0, 0, 3, bind_kind, port >> 8, port & 0xff};
  int none = -1;
  return converse(question, sizeof question, socket, bound_kind, &none);
}
