import CSystem
import Glibc

/// A packet socket (packet(7), SOCK_RAW): what a divert socket is underneath.
package enum PacketSocket {
  /// An unbound one: it receives nothing and can send to any interface.
  package static func open() throws(SystemError) -> Descriptor {
    Descriptor(
      owning: try retrying("open a packet socket") {
        socket(AF_PACKET, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
      })
  }

  /// Sends to an interface, and receives all its packets, in both directions, or nothing.
  package static func bind(
    _ descriptor: borrowing Descriptor, to interface: UInt32, receiving: Bool = true
  ) throws(SystemError) {
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_protocol = receiving ? UInt16(ETH_P_ALL).bigEndian : 0
    address.sll_ifindex = CInt(interface)
    let number = descriptor.number
    _ = try retrying("bind a packet socket") {
      unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe Glibc.bind(number, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
        }
      }
    }
  }

  /// The number by which the hooks know it (SO_COOKIE).
  package static func cookie(_ descriptor: borrowing Descriptor) throws(SystemError) -> UInt64 {
    var cookie: UInt64 = 0
    var size = socklen_t(8)
    let number = descriptor.number
    _ = try retrying("ask a socket's cookie") { unsafe getsockopt(number, SOL_SOCKET, 57, &cookie, &size) }
    return cookie
  }

  /// Beyond the limit that unprivileged processes have (SO_RCVBUFFORCE).
  package static func setReceiveBuffer(_ descriptor: borrowing Descriptor, bytes: CInt) throws(SystemError) {
    // The kernel doubles what it is told, for its own bookkeeping (socket(7)).
    var half = bytes / 2
    let number = descriptor.number
    _ = try retrying("set a socket's receive buffer") {
      unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &half, socklen_t(MemoryLayout<CInt>.size))
    }
  }

  /// How many bytes it takes before it drops, by the kernel's own bookkeeping (SO_RCVBUF).
  package static func receiveBuffer(_ descriptor: borrowing Descriptor) throws(SystemError) -> CInt {
    var bytes: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    let number = descriptor.number
    _ = try retrying("ask a socket's receive buffer") {
      unsafe getsockopt(number, SOL_SOCKET, SO_RCVBUF, &bytes, &size)
    }
    return bytes
  }

  /// Waits until packets that are on their way through the kernel's network path have come to its end: closing a packet
  /// socket does (af_packet.c, packet_release: "synchronize_net()").
  package static func waitForPacketsUnderWay() throws(SystemError) { _ = try open() }

  /// Sends one frame to an interface, its packet with a mark (SO_MARK, socket(7)).
  package static func send(
    _ frame: [UInt8], on descriptor: borrowing Descriptor, to interface: UInt32, mark: UInt32 = 0
  ) throws(SystemError) {
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_ifindex = CInt(interface)
    address.sll_halen = 6
    var control = MarkBuffer(mark: mark)
    let number = descriptor.number
    _ = try retrying("write to a link") {
      unsafe withUnsafeMutablePointer(to: &address) { address in
        unsafe frame.withUnsafeBytes { bytes in
          var vector = unsafe iovec(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
          return unsafe withUnsafeMutablePointer(to: &vector) { vector in
            var message = unsafe msghdr()
            unsafe message.msg_name = UnsafeMutableRawPointer(address)
            unsafe message.msg_namelen = socklen_t(MemoryLayout<sockaddr_ll>.size)
            unsafe message.msg_iov = vector
            unsafe message.msg_iovlen = 1
            return unsafe control.attached(to: &message) { unsafe sendmsg(number, &$0, 0) }
          }
        }
      }
    }
  }

  /// The priority of what is sent from here on, in which frames tell whose packets they are.
  package static func setPriority(_ descriptor: borrowing Descriptor, _ priority: UInt32) throws(SystemError)
  {
    var priority = priority
    let number = descriptor.number
    _ = try retrying("set a socket's priority") {
      unsafe setsockopt(
        number, SOL_SOCKET, SO_PRIORITY, &priority, socklen_t(MemoryLayout<UInt32>.size))
    }
  }

  /// The next frame, whole, into a buffer, and what is told with it; nil when none is waiting.
  package static func receive(
    _ descriptor: borrowing Descriptor, into buffer: inout [UInt8]
  ) -> (count: Int, note: FrameNote)? {
    let number = descriptor.number
    var control = InlineArray<12, UInt64>(repeating: 0)
    return unsafe withUnsafeMutableBytes(of: &control) { control in
      unsafe buffer.withUnsafeMutableBytes { buffer in
        let (count, controlCount, _) = unsafe receiveMessage(
          from: number, into: buffer, control: control, flags: CInt(MSG_DONTWAIT) | CInt(MSG_TRUNC))
        guard count > 0 else { return nil }
        return unsafe (count, ControlData.note(in: control.baseAddress, count: controlCount))
      }
    }
  }
}
