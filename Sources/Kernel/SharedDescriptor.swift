import Glibc
package import Synchronization

/// A descriptor that several threads use and one of them closes: `close()` takes effect once the calls that
/// are under way have returned, so the number is never used after the kernel has given it to somebody else.
package final class SharedDescriptor: Sendable {
  /// For whom it cannot be closed meanwhile; all others ``enter(for:)``.
  package let number: CInt
  /// Bit 0: closed. Above it: how many calls are under way, times two.
  @usableFromInline let state: Atomic<UInt> = Atomic(0)

  package init(_ descriptor: consuming Descriptor) {
    number = descriptor.release()
  }

  deinit { close() }

  /// Begins a call: until the matching ``leave()`` the number stays open.
  ///
  /// - Throws: `EBADF` if the descriptor has been closed; there is nothing to leave then.
  @inlinable
  package func enter(for action: @autoclosure () -> String) throws(SystemError) -> CInt {
    let before = state.wrappingAdd(2, ordering: .acquiring).oldValue
    guard before & 1 == 0 else {
      leave()
      throw SystemError(action(), code: EBADF)
    }
    return number
  }

  @inlinable
  package func leave() {
    // The last one out of a closed descriptor closes it; nobody gets in any more.
    if state.wrappingSubtract(2, ordering: .acquiringAndReleasing).newValue == 1 { closeOnce() }
  }

  /// Closes now, or as soon as the last call has returned; a second time does nothing.
  package func close() {
    let before = state.bitwiseOr(1, ordering: .acquiringAndReleasing).oldValue
    if before == 0 { closeOnce() }
  }

  @usableFromInline
  func closeOnce() {
    // A late caller may enter and leave a closed descriptor: only the first to get here may close.
    guard !closing.exchange(true, ordering: .acquiringAndReleasing) else { return }
    _ = Glibc.close(number)
  }
  private let closing = Atomic<Bool>(false)
}
