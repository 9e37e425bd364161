import Glibc

/// Waits with poll(2) until the descriptor can be read, or until the time given; nil waits for ever.
///
/// - Returns: Whether there is something to read (an error and the end count as such).
package func waitForInput(on descriptor: CInt, until deadline: ContinuousClock.Instant?) throws(SystemError)
  -> Bool
{
  let clock = ContinuousClock()
  while true {
    var milliseconds: CInt = -1
    if let deadline {
      let left = clock.now.duration(to: deadline)
      milliseconds = CInt(clamping: max(0, left.inMillisecondsRoundedUp))
    }
    var query = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let ready = unsafe poll(&query, 1, milliseconds)
    if ready > 0 { return true }
    if ready == 0 {
      guard let deadline, clock.now >= deadline else { continue }
      return false
    }
    let code = errno
    guard code == EINTR else { throw SystemError("wait for packets", code: code) }
  }
}

/// Waits until the descriptor can be written to.
package func waitForRoom(on descriptor: CInt) throws(SystemError) {
  var query = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
  _ = try retrying("wait for room to write") { unsafe poll(&query, 1, -1) }
}

extension Duration {
  fileprivate var inMillisecondsRoundedUp: Int64 {
    let (seconds, attoseconds) = components
    guard seconds < .max / 2000 else { return .max / 2 }
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
