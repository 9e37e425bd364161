import CSystem
import Glibc

/// Lets any thread wake one that waits for descriptors (eventfd(2)).
package final class WakeUp: Sendable {
  package let descriptor: Descriptor

  package init() throws(SystemError) {
    // EFD_NONBLOCK and EFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC.
    descriptor = Descriptor(
      owning: try retrying("make an event descriptor") { eventfd(0, O_NONBLOCK | O_CLOEXEC) })
  }

  package func signal() {
    var one: UInt64 = 1
    _ = unsafe write(descriptor.number, &one, 8)
  }

  /// Forgets the signals so far.
  package func clear() {
    var count: UInt64 = 0
    _ = unsafe read(descriptor.number, &count, 8)
  }
}
