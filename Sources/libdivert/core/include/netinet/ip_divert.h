#ifndef _NETINET_IP_DIVERT_H_
#define _NETINET_IP_DIVERT_H_
/* What BSD programs expect to be defined; the numbers are FreeBSD's. */

#include <netinet/in.h>
#include <sys/socket.h>

/* socket(PF_INET, SOCK_RAW, IPPROTO_DIVERT) as in divert(4). 254 until FreeBSD 4. */
#ifndef IPPROTO_DIVERT
#define IPPROTO_DIVERT 258
#endif

/* socket(PF_DIVERT, SOCK_RAW, 0) since FreeBSD 14; Linux has the same number for PF_XDP. */
#ifndef PF_DIVERT
#define AF_DIVERT 44
#define PF_DIVERT AF_DIVERT
#endif

#ifndef SO_USER_COOKIE
#define SO_USER_COOKIE 0x1015
#endif
#ifndef SO_REUSEPORT_LB
#define SO_REUSEPORT_LB 0x00010000
#endif

#endif
