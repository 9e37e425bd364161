#pragma once
// Nothing to call: see preload.c.
