import BPF
import Kernel
import RuleCompiler

/// A device on which divert sockets live, with its hook. It is gone when nobody holds this any more.
final class HostLink {
  // The hook goes before the device that it is attached to.
  private let hook: Link
  private let device: TapDevice
  var index: UInt32 { device.index }

  init(_ name: String, program: borrowing Program) throws(SystemError) {
    let device = try TapDevice(name)
    hook = try Link(program, to: device.index, .egress)
    self.device = device
  }
}

/// The divert ports: which are bound, by which socket, on which link.
struct PortBindings: ~Copyable {
  struct Holder {
    let link: HostLink
    let cookie: UInt64
  }

  private(set) var holders: [UInt16: Holder] = [:]
  private(set) var sockets: Set<UInt64> = []

  mutating func add(socket cookie: UInt64) { sockets.insert(cookie) }
  mutating func forget(socket cookie: UInt64) { sockets.remove(cookie) }
  func isBound(_ cookie: UInt64) -> Bool { holders.contains { $0.value.cookie == cookie } }

  mutating func hold(_ port: UInt16, _ link: HostLink, cookie: UInt64) {
    holders[port] = Holder(link: link, cookie: cookie)
  }

  mutating func release(_ port: UInt16) -> HostLink? { holders.removeValue(forKey: port)?.link }

  /// A free port for who asks for any: from the top down, where no rule is likely to have a use of its own.
  func freePort() -> UInt16? {
    (49152...65534).reversed().lazy.map { UInt16($0) }.first { holders[$0] == nil }
  }
}
