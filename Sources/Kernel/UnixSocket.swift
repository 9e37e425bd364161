import CSystem
import Glibc

/// Stream sockets of this machine (unix(7)), over which descriptors can be handed.
package enum UnixSocket {
  private static var type: CInt { CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) }

  /// - Parameters:
  ///   - path: Where a process listens, or its abstract name of this network namespace.
  ///   - limit: How long to wait for room in the listener's queue, and later for each read and write (SO_RCVTIMEO,
  ///     SO_SNDTIMEO: they fail with `EAGAIN`).
  package static func connect(
    to path: String, isAbstract: Bool = false, timeLimit limit: Duration
  ) throws(SystemError) -> Descriptor {
    let descriptor = Descriptor(owning: try retrying("open a socket") { socket(AF_UNIX, type, 0) })
    let number = descriptor.number
    let address = try address(path, isAbstract: isAbstract)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      let (seconds, attoseconds) = limit.components
      var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
      _ = try retrying("set a socket's time limit") {
        unsafe setsockopt(number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
      }
    }
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
  ///
  /// - Throws: `EMFILE` and the like: the connection waits on.
  package static func accept(on listener: CInt) throws(SystemError) -> Descriptor? {
    let number = Glibc.accept(listener, nil, nil)
    guard number >= 0 else {
      let code = errno
      guard code == EAGAIN || code == EINTR || code == ECONNABORTED else {
        throw SystemError("accept a control connection", code: code)
      }
      return nil
    }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    _ = fcntl(number, F_SETFL, O_NONBLOCK)
    return Descriptor(owning: number)
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
