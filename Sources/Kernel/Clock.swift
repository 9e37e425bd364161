import Glibc

/// Nanoseconds of a kernel clock.
package enum KernelClock {
  case realTime
  /// Since boot, as coarse as the timer tick: what the hooks read.
  case monotonicCoarse

  package var now: UInt64 {
    var time = timespec()
    let clock =
      switch self {
      case .realTime: CLOCK_REALTIME
      case .monotonicCoarse: CLOCK_MONOTONIC_COARSE
      }
    _ = unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
