import CSystem
import Glibc

/// What a thread waits for: descriptors to be read or written, and a time (poll(2)).
package struct PollSet: Sendable {
  private var entries: [pollfd] = []
  private var places: [CInt: Int] = [:]

  package init() {}

  /// Waits for the descriptor, at least for its error or its end.
  package mutating func add(_ descriptor: CInt, reading: Bool = true, writing: Bool = false) {
    let events = (reading ? Int16(POLLIN) : 0) | (writing ? Int16(POLLOUT) : 0)
    places[descriptor] = entries.count
    entries.append(pollfd(fd: descriptor, events: events, revents: 0))
  }

  /// Waits until something happens or the time is over.
  ///
  /// - Parameter milliseconds: -1 waits for ever.
  package mutating func wait(milliseconds: CInt) throws(SystemError) {
    let result = unsafe entries.withUnsafeMutableBufferPointer {
      unsafe poll($0.baseAddress, nfds_t($0.count), milliseconds)
    }
    if result == -1, errno != EINTR { throw SystemError("wait for something to happen") }
  }

  /// Whether the descriptor can be read, or has come to its end.
  package func isReadable(_ descriptor: CInt) -> Bool { events(descriptor) & ~Int16(POLLOUT) != 0 }
  package func isWritable(_ descriptor: CInt) -> Bool { events(descriptor) & Int16(POLLOUT) != 0 }

  private func events(_ descriptor: CInt) -> Int16 { places[descriptor].map { entries[$0].revents } ?? 0 }
}

/// Signals as something to read (signalfd(2)); they do not interrupt any more.
package struct SignalDescriptor: ~Copyable, Sendable {
  package let descriptor: Descriptor

  package init(_ signals: [CInt]) throws(SystemError) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    // SFD_NONBLOCK and SFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC.
    descriptor = Descriptor(
      owning: try retrying("wait for signals") { unsafe signalfd(-1, &set, O_NONBLOCK | O_CLOEXEC) })
  }

  /// The next signal that has come, nil when there is none.
  package func next() -> CInt? {
    // struct signalfd_siginfo: 128 bytes, the first four are the number.
    var information: InlineArray<16, UInt64> = .init(repeating: 0)
    let count = unsafe read(descriptor.number, &information, 128)
    return count == 128 ? CInt(truncatingIfNeeded: information[0]) : nil
  }
}
