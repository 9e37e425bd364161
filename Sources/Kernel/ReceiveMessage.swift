import CSystem
import Glibc

/// recvmsg(2) into one buffer, with room for ancillary data beside it.
///
/// - Returns: What the call returned, how many bytes of ancillary data there are, and the message's flags.
func receiveMessage(
  from number: CInt, into buffer: UnsafeMutableRawBufferPointer, control: UnsafeMutableRawBufferPointer,
  flags: CInt
) -> (count: Int, controlCount: Int, messageFlags: CInt) {
  var vector = unsafe iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
  return unsafe withUnsafeMutablePointer(to: &vector) { vector in
    var message = unsafe msghdr()
    unsafe message.msg_iov = vector
    unsafe message.msg_iovlen = 1
    unsafe message.msg_control = control.baseAddress
    unsafe message.msg_controllen = control.count
    let count = unsafe recvmsg(number, &message, flags)
    return unsafe (count, message.msg_controllen, message.msg_flags)
  }
}
