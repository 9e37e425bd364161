import CSystem
import Glibc

/// Stream sockets of this machine (unix(7)), over which descriptors can be handed.
package enum UnixSocket {
  package struct PeerCredentials: Sendable {
    package let processIdentifier: Int32
    package let user: UInt32
  }

  private static var type: CInt { CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) }

  package static func connect(to path: String) throws(SystemError) -> Descriptor {
    let descriptor = Descriptor(owning: try retrying("open a socket") { socket(AF_UNIX, type, 0) })
    let number = descriptor.number
    let address = try address(path)
    _ = try retrying("connect to \(path)") {
      unsafe address.withPointer { unsafe Glibc.connect(number, $0, $1) }
    }
    return descriptor
  }

  /// Listens at a path that appears, open to everyone, only when connections can be taken; what was there is
  /// replaced.
  package static func listen(at path: String) throws(SystemError) -> Descriptor {
    let descriptor = Descriptor(
      owning: try retrying("open a socket") { socket(AF_UNIX, type | CInt(SOCK_NONBLOCK.rawValue), 0) })
    let number = descriptor.number
    let temporary = "\(path).\(getpid())"
    let address = try address(temporary)
    _ = unsafe unlink(temporary)
    _ = try retrying("create \(path)") { unsafe address.withPointer { unsafe bind(number, $0, $1) } }
    _ = try retrying("open \(path) to everyone") { unsafe chmod(temporary, 0o666) }
    _ = try retrying("listen at \(path)") { Glibc.listen(number, 64) }
    _ = try retrying("create \(path)") { unsafe rename(temporary, path) }
    return descriptor
  }

  /// Listens at an abstract name of this network namespace, which programs reach that have changed their root directory.
  ///
  /// - Returns: nil if somebody has taken the name.
  package static func listen(atAbstractName name: String) throws(SystemError) -> Descriptor? {
    let descriptor = Descriptor(
      owning: try retrying("open a socket") { socket(AF_UNIX, type | CInt(SOCK_NONBLOCK.rawValue), 0) })
    let number = descriptor.number
    let address = try address(name, isAbstract: true)
    guard unsafe address.withPointer({ unsafe bind(number, $0, $1) }) == 0 else { return nil }
    _ = try retrying("listen at @\(name)") { Glibc.listen(number, 64) }
    return descriptor
  }

  /// The next connection, nil when none is waiting.
  package static func accept(on listener: CInt) -> Descriptor? {
    let number = Glibc.accept(listener, nil, nil)
    guard number >= 0 else { return nil }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    _ = fcntl(number, F_SETFL, O_NONBLOCK)
    return Descriptor(owning: number)
  }

  /// Who connected, as the kernel noted it then (SO_PEERCRED).
  package static func peerCredentials(_ descriptor: borrowing Descriptor) throws(SystemError)
    -> PeerCredentials
  {
    // struct ucred: pid, uid, gid.
    var credentials: InlineArray<3, UInt32> = [0, 0, 0]
    var size = socklen_t(12)
    let number = descriptor.number
    _ = try retrying("ask who connected") { unsafe getsockopt(number, SOL_SOCKET, 17, &credentials, &size) }
    return PeerCredentials(processIdentifier: Int32(bitPattern: credentials[0]), user: credentials[1])
  }

  // MARK: Bytes with a descriptor

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
  /// - Returns: How many bytes went; nil when nobody will ever read them.
  package static func sendWithoutWaiting(
    _ bytes: ArraySlice<UInt8>, descriptor: CInt? = nil, on connection: borrowing Descriptor
  ) -> Int? {
    let number = connection.number
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

  /// What has come, and the descriptor that came with it; no bytes at the end of the connection.
  package static func receive(
    on connection: borrowing Descriptor
  ) throws(SystemError) -> (bytes: [UInt8], descriptor: CInt?) {
    let number = connection.number
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var control: ControlBuffer = [0, 0, 0]
    let count = try retrying("read from a control socket") {
      unsafe withUnsafeMutableBytes(of: &control) { control in
        unsafe buffer.withUnsafeMutableBytes { buffer in
          unsafe receiveMessage(
            from: number, into: buffer, control: control, flags: CInt(MSG_CMSG_CLOEXEC)
          ).count
        }
      }
    }
    let hasDescriptor = control[0] == 20 && control[1] == UInt64(UInt32(SOL_SOCKET)) | 1 << 32
    return (Array(buffer.prefix(count)), hasDescriptor ? CInt(truncatingIfNeeded: control[2]) : nil)
  }

  // MARK: Addresses

  private struct Address {
    var bytes: sockaddr_un
    var length = MemoryLayout<sockaddr_un>.size
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
      unsafe withUnsafePointer(to: bytes) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe body($0, socklen_t(length))
        }
      }
    }
  }

  private static func address(_ path: String, isAbstract: Bool = false) throws(SystemError) -> Address {
    var address = sockaddr_un()
    address.sun_family = UInt16(AF_UNIX)
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count < 108 else {
      throw SystemError(
        "use the socket path \(path)", code: ENAMETOOLONG, advice: "a socket's path has at most 107 bytes")
    }
    // An abstract name begins with a zero and is as long as it is said to be (unix(7)).
    let name = isAbstract ? [0] + bytes : bytes
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    return isAbstract ? Address(bytes: address, length: 2 + name.count) : Address(bytes: address)
  }
}
