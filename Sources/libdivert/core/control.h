#pragma once
// What is said to divertd (docs/control-messages.md).
#include <stdint.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

// Asks for a divert socket, close-on-exec, and where its packets are counted. -1 and errno: EPROTONOSUPPORT where no
// divertd is, or what it answered.
int control_open(uint16_t *slot);

// Puts a socket on a port, 0 for any free one.
int control_bind(int socket, uint16_t port);

#pragma GCC visibility pop
