#pragma once

/// How many times this thread has asked for memory: malloc(3) and its kin are counted in the program that links this.
unsigned long allocation_count(void);
