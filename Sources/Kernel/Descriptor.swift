import Glibc

/// A file descriptor with exactly one owner, who closes it.
package struct Descriptor: ~Copyable, Sendable {
  package let number: CInt

  package init(owning number: CInt) {
    self.number = number
  }

  deinit { _ = Glibc.close(number) }

  /// Gives the number away; whoever takes it closes it.
  package consuming func release() -> CInt {
    let number = number
    discard self
    return number
  }

  /// A second descriptor for the same open file, close-on-exec.
  package func duplicate() throws(SystemError) -> Descriptor {
    Descriptor(
      owning: try retrying("duplicate descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
  }
}
