import CSystem
import Glibc

/// Sends one frame that lies in two pieces.
///
/// - Parameter wait: Whether to wait for room; if not, `EAGAIN` says that there is none.
package func sendFrame(
  _ head: RawSpan, _ body: RawSpan, to descriptor: CInt, wait: Bool = true
) throws(SystemError) {
  let flags = CInt(MSG_NOSIGNAL) | (wait ? 0 : CInt(MSG_DONTWAIT))
  while true {
    let result = unsafe head.withUnsafeBytes { head in
      unsafe body.withUnsafeBytes { body in
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
          unsafe pieces[0] = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress), iov_len: head.count)
          unsafe pieces[1] = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress), iov_len: body.count)
          var message = unsafe msghdr()
          unsafe message.msg_iov = pieces.baseAddress
          unsafe message.msg_iovlen = 2
          return unsafe sendmsg(descriptor, &message, flags)
        }
      }
    }
    if result >= 0 { return }
    let code = errno
    if code == EINTR { continue }
    // A descriptor that somebody has made non-blocking still waits.
    guard code == EAGAIN && wait else { throw SystemError("reinject a packet", code: code) }
    try waitForRoom(on: descriptor)
  }
}
