import CSystem
import Glibc

extension PacketSocket {
  /// Lets a socket receive from one interface only, for as long as it lives, whatever its holder binds it to: a socket
  /// filter (packet(7)) that cannot be taken off again (socket(7), SO_LOCK_FILTER).
  ///
  /// A filter of the program's own stays in force behind that.
  ///
  /// - Throws: `EINVAL` for a socket that is locked to an interface already, `EPERM` for one that its program has locked.
  package static func lock(_ descriptor: borrowing Descriptor, to interface: UInt32) throws(SystemError) {
    // A packet of another interface is none of this socket's; SKF_AD_OFF + SKF_AD_IFINDEX.
    let interfaceIndex = UInt32(bitPattern: -0x1000 + 8)
    let load = sock_filter(code: 0x20, jt: 0, jf: 0, k: interfaceIndex)  // BPF_LD | BPF_W | BPF_ABS
    let own = try filter(of: descriptor)
    if let first = own?.first, first.code == load.code, first.k == load.k {
      throw SystemError("lock a divert socket", code: EINVAL)
    }
    let program =
      [
        load,
        sock_filter(code: 0x15, jt: 1, jf: 0, k: interface),  // BPF_JMP | BPF_JEQ | BPF_K
        sock_filter(code: 0x06, jt: 0, jf: 0, k: 0),  // BPF_RET | BPF_K
      ] + (own ?? [sock_filter(code: 0x06, jt: 0, jf: 0, k: .max)])
    let number = descriptor.number
    var instructions = program
    _ = try retrying("attach a filter to a divert socket") {
      unsafe instructions.withUnsafeMutableBufferPointer { buffer in
        var attached = unsafe sock_fprog(len: UInt16(buffer.count), filter: buffer.baseAddress)
        return unsafe setsockopt(
          number, SOL_SOCKET, 26, &attached, socklen_t(MemoryLayout<sock_fprog>.size))  // SO_ATTACH_FILTER
      }
    }
    var on: CInt = 1
    _ = try retrying("lock the filter of a divert socket") {
      unsafe setsockopt(number, SOL_SOCKET, 44, &on, socklen_t(MemoryLayout<CInt>.size))  // SO_LOCK_FILTER
    }
  }

  /// The filter that a program has attached, nil for none. Lengths are numbers of instructions (SO_GET_FILTER, which is
  /// SO_ATTACH_FILTER).
  private static func filter(of descriptor: borrowing Descriptor) throws(SystemError) -> [sock_filter]? {
    let number = descriptor.number
    var count: socklen_t = 0
    _ = try retrying("read the filter of a divert socket") {
      unsafe getsockopt(number, SOL_SOCKET, 26, nil, &count)
    }
    guard count > 0 else { return nil }
    var instructions = [sock_filter](repeating: sock_filter(), count: Int(count))
    _ = try retrying("read the filter of a divert socket") {
      unsafe getsockopt(number, SOL_SOCKET, 26, &instructions, &count)
    }
    return Array(instructions.prefix(Int(count)))
  }
}
