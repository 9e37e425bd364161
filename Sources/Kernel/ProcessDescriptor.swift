import CSystem
import Glibc

/// A process, held so that its number cannot become another one's meanwhile (pidfd_open(2)).
package struct ProcessDescriptor: ~Copyable {
  private let descriptor: Descriptor

  package init(_ identifier: Int32, _ action: @autoclosure () -> String) throws(SystemError) {
    descriptor = Descriptor(owning: try retrying(action()) { csystem_pidfd_open(identifier) })
  }

  package func send(_ signal: CInt, _ action: @autoclosure () -> String) throws(SystemError) {
    let number = descriptor.number
    _ = try retrying(action()) { csystem_pidfd_send_signal(number, signal) }
  }

  /// - Returns: Whether it has ended by then.
  package func waitForEnd(until deadline: ContinuousClock.Instant) throws(SystemError) -> Bool {
    try waitForInput(on: descriptor.number, until: deadline)
  }
}
