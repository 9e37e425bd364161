import Glibc
import Synchronization

/// A file descriptor with exactly one owner, who closes it.
package struct Descriptor: ~Copyable, Sendable {
  package let number: CInt

  package init(owning number: CInt) {
    self.number = number
    Self.count(1)
  }

  deinit {
    _ = Glibc.close(number)
    Self.count(-1)
  }

  /// Gives the number away; whoever takes it closes it.
  package consuming func release() -> CInt {
    let number = number
    discard self
    Self.count(-1)
    return number
  }

  /// In debug builds descriptors are counted, so that tests can tell when one has no owner to close it.
  #if DEBUG
    private static let open = Atomic<Int>(0)
    package static var openCount: Int { open.load(ordering: .relaxed) }
    private static func count(_ change: Int) { open.wrappingAdd(change, ordering: .relaxed) }
  #else
    @inline(__always) private static func count(_ change: Int) {}
  #endif

  /// A second descriptor for the same open file, close-on-exec.
  package func duplicate() throws(SystemError) -> Descriptor {
    Descriptor(
      owning: try retrying("duplicate descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
  }
}
