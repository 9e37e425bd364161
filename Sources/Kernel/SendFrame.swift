import CSystem
import Glibc

/// Sends one frame that lies in two pieces.
///
/// - Parameters:
///   - mark: For the packet (SO_MARK, socket(7)); 0 for none.
///   - wait: Whether to wait for room; if not, `EAGAIN` says that there is none.
package func sendFrame(
  _ head: RawSpan, _ body: RawSpan, to descriptor: CInt, mark: UInt32 = 0, wait: Bool = true
) throws(SystemError) {
  let flags = CInt(MSG_NOSIGNAL) | (wait ? 0 : CInt(MSG_DONTWAIT))
  var control = MarkBuffer(mark: mark)
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
          return unsafe control.attached(to: &message) { unsafe sendmsg(descriptor, &$0, flags) }
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

/// Ancillary data of one message that is sent: a mark, or none.
struct MarkBuffer {
  private var bytes: InlineArray<3, UInt64> = [0, 0, 0]
  private let mark: UInt32

  init(mark: UInt32) { self.mark = mark }

  mutating func attached(to message: inout msghdr, _ send: (inout msghdr) -> Int) -> Int {
    unsafe withUnsafeMutableBytes(of: &bytes) { bytes in
      unsafe message.msg_controllen = ControlData.write(mark: mark, to: bytes.baseAddress)
      unsafe message.msg_control = message.msg_controllen == 0 ? nil : bytes.baseAddress
      return unsafe send(&message)
    }
  }
}
