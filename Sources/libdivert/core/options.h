#pragma once

#pragma GCC visibility push(hidden) // programs have functions of such names, too

// Gives a new socket what getsockopt must be able to tell from what a program has set.
void options_begin(int socket);

#pragma GCC visibility pop
