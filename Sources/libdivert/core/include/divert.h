#ifndef DIVERT_H
#define DIVERT_H
/* Divert sockets for C: BSD's calls under names of their own, and BSD's errors. See divert(3). */

#include <netinet/ip_divert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mmsghdr;

/* What socket(2) takes for a divert socket, with SOCK_CLOEXEC and SOCK_NONBLOCK in the type. */
int divert_socket(int domain, int type, int protocol);
int divert_bind(int socket, const struct sockaddr *address, socklen_t length);
int divert_getsockname(int socket, struct sockaddr *address, socklen_t *length);

ssize_t divert_recvfrom(int socket, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length);
ssize_t divert_recvmsg(int socket, struct msghdr *message, int flags);
int divert_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags);

ssize_t divert_sendto(int socket, const void *packet, size_t size, int flags, const struct sockaddr *address,
                      socklen_t length);
ssize_t divert_sendmsg(int socket, const struct msghdr *message, int flags);
int divert_sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags);

int divert_getsockopt(int socket, int level, int option, void *value, socklen_t *length);
int divert_setsockopt(int socket, int level, int option, const void *value, socklen_t length);

struct divert_counters {
  uint64_t dropped;      /* packets that found the receive buffer full */
  uint64_t waiting;      /* bytes of the receive buffer in use, as the kernel counts them */
  uint64_t incoming;     /* packets written that re-entered as incoming */
  uint64_t outgoing;     /* packets written that re-entered as outgoing */
  uint64_t refused;      /* packets written that the kernel refused */
  uint64_t bad_checksum; /* of the incoming, dropped for their header checksum */
};
int divert_counters(int socket, struct divert_counters *counters);

/* Whether a descriptor is a divert socket made by these calls, in this process or another. */
bool divert_is_socket(int descriptor);

#ifdef __cplusplus
}
#endif
#endif
