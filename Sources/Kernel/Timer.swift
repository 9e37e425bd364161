internal import CSystem
import Glibc

/// A time as something to read (timerfd_create(2)).
struct Timer: ~Copyable, Sendable {
  let descriptor: Descriptor

  init() throws(SystemError) {
    // TFD_NONBLOCK and TFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC; CLOCK_BOOTTIME is what `ContinuousClock` reads.
    descriptor = Descriptor(
      owning: try retrying("make a timer") { csystem_timerfd_create(CLOCK_BOOTTIME, O_NONBLOCK | O_CLOEXEC) })
  }

  /// Makes it readable at a time, and only then: an earlier end is forgotten.
  ///
  /// - Returns: The descriptor's number.
  func start(_ deadline: ContinuousClock.Instant) throws(SystemError) -> CInt {
    let (seconds, attoseconds) = max(.nanoseconds(1), ContinuousClock.now.duration(to: deadline)).components
    // All zero would stop it. What lies further ahead than the kernel can tell is never.
    let nanoseconds = max(seconds == 0 ? 1 : 0, attoseconds / 1_000_000_000)
    let number = descriptor.number
    _ = try retrying("start a timer") {
      csystem_timerfd_start(number, Int(min(seconds, 1 << 32)), Int(nanoseconds))
    }
    return number
  }
}
