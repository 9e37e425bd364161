import CSystem
import Glibc

/// Bytes with a descriptor (SCM_RIGHTS, unix(7)).
extension UnixSocket {
  /// Room for one descriptor: struct cmsghdr (length, level, type) and the number, padded to eight bytes.
  private typealias ControlBuffer = InlineArray<3, UInt64>

  /// Writes all bytes; a descriptor travels with the first of them (SCM_RIGHTS).
  package static func send(
    _ bytes: [UInt8], descriptor: CInt? = nil, on connection: borrowing Descriptor
  ) throws(SystemError) {
    let number = connection.number
    var sent = 0
    while sent < bytes.count {
      let first = sent == 0
      let start = sent
      sent += try retrying("write to a control socket") {
        unsafe bytes.withUnsafeBytes { buffer in
          let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
          guard first, let descriptor else {
            return unsafe Glibc.send(number, rest.baseAddress, rest.count, CInt(MSG_NOSIGNAL))
          }
          return unsafe send(rest, with: descriptor, on: number)
        }
      }
    }
  }

  /// Writes what the connection takes without waiting.
  ///
  /// - Returns: How many bytes went; nil when the peer has closed the connection.
  package static func sendWithoutWaiting(
    _ bytes: ArraySlice<UInt8>, descriptor: CInt? = nil, on number: CInt
  ) -> Int? {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      guard let descriptor else {
        return unsafe Glibc.send(
          number, buffer.baseAddress, buffer.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
      }
      return unsafe send(buffer, with: descriptor, on: number)
    }
    if count >= 0 { return count }
    return errno == EAGAIN || errno == EINTR ? 0 : nil
  }

  private static func send(_ bytes: UnsafeRawBufferPointer, with descriptor: CInt, on number: CInt) -> Int {
    var control: ControlBuffer = [
      20, UInt64(UInt32(SOL_SOCKET)) | 1 << 32, UInt64(UInt32(bitPattern: descriptor)),
    ]
    return unsafe withUnsafeMutableBytes(of: &control) { control in
      var vector = unsafe iovec(
        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      return unsafe withUnsafeMutablePointer(to: &vector) { vector in
        var message = unsafe msghdr()
        unsafe message.msg_iov = vector
        unsafe message.msg_iovlen = 1
        unsafe message.msg_control = control.baseAddress
        unsafe message.msg_controllen = control.count
        return unsafe sendmsg(number, &message, CInt(MSG_NOSIGNAL))
      }
    }
  }

  /// What one read of a connection has yielded, with the descriptors that came along (unix(7), SCM_RIGHTS).
  ///
  /// A sender may attach up to 253 descriptors to a message, of files of any kind. All of them are here, so that none
  /// stays open unknown: the kernel closes those for which there is no room, and closing may take as long as the sender
  /// wants (socket(7), SO_LINGER).
  package struct Receipt {
    package let bytes: [UInt8]
    /// Their owner is the caller from here on.
    package let descriptors: [CInt]
    /// Further descriptors are lost: the process has no numbers left for them, or a security module refused them
    /// (MSG_CTRUNC).
    package let hasLostDescriptors: Bool
  }

  /// Reads at most so many bytes; none at the end of the connection.
  ///
  /// - Throws: `EAGAIN` where nothing has come and the connection does not block.
  package static func receive(
    atMost count: Int, on number: CInt
  ) throws(SystemError) -> Receipt {
    var flags: CInt = 0
    var control = InlineArray<130, UInt64>(repeating: 0)
    var controlCount = 0
    var buffer = [UInt8](repeating: 0, count: count)
    let received = try retrying("read from a control socket") {
      unsafe withUnsafeMutableBytes(of: &control) { control in
        unsafe buffer.withUnsafeMutableBytes { buffer in
          let result = unsafe receiveMessage(
            from: number, into: buffer, control: control, flags: CInt(MSG_CMSG_CLOEXEC))
          (controlCount, flags) = (result.controlCount, result.messageFlags)
          return result.count
        }
      }
    }
    buffer.removeLast(count - received)
    let span = control.span
    return Receipt(
      bytes: buffer, descriptors: descriptors(in: unsafe span.bytes.extracting(first: controlCount)),
      hasLostDescriptors: flags & CInt(MSG_CTRUNC) != 0)
  }

  /// The descriptors of all control messages, each of which has a `struct cmsghdr` (length, level, type) and is padded to
  /// eight bytes (cmsg(3)).
  private static func descriptors(in control: RawSpan) -> [CInt] {
    let rights: Int32 = 1  // SCM_RIGHTS
    var found: [CInt] = []
    var start = 0
    while start + 16 <= control.byteCount {
      let length = Int(control.host(at: start, as: UInt64.self))
      guard length >= 16, start + length <= control.byteCount else { break }
      if control.host(at: start + 8, as: Int32.self) == SOL_SOCKET,
        control.host(at: start + 12, as: Int32.self) == rights
      {
        for place in stride(from: start + 16, to: start + length - 3, by: 4) {
          found.append(control.host(at: place, as: CInt.self))
        }
      }
      start += (length + 7) & ~7
    }
    return found
  }
}
