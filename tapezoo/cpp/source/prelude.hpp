#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

// The namespace; define another one before you include a second model.
#if !defined(TAPEZOO_MODEL)
#define TAPEZOO_MODEL tapezoo_model
#endif

#if defined(__GNUC__)
#define TAPEZOO_INLINE inline __attribute__((always_inline))
#define TAPEZOO_APART __attribute__((noinline))  // else constants of what follows a loop take its registers
#else
#define TAPEZOO_INLINE inline
#define TAPEZOO_APART
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define TAPEZOO_UNROLL _Pragma("GCC unroll 16")
#else
#define TAPEZOO_UNROLL  // Clang does it by itself
#endif
