import BPF
import DivertEngine
import Kernel
import RuleCompiler

/// A device on which divert sockets live, with its hook. It is gone when nobody holds this any more.
final class HostLink: Sendable {
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

/// Who holds a divert port: a socket, on a link of its own.
struct PortHolder: Sendable {
  let link: HostLink
  let cookie: UInt64
}

/// The sockets that were handed out, and the ports they have bound.
struct PortBindings: ~Copyable {
  var table = PortTable<PortHolder>()
  private(set) var links: Set<UInt32> = []
  private(set) var sockets: Set<UInt64> = []

  mutating func add(socket cookie: UInt64) { sockets.insert(cookie) }
  mutating func forget(socket cookie: UInt64) { sockets.remove(cookie) }

  func isBound(_ cookie: UInt64) -> Bool { table.ports.contains { table[$0]?.cookie == cookie } }

  mutating func hold(_ port: UInt16, _ link: HostLink, _ cookie: UInt64) {
    table.bind(port, PortHolder(link: link, cookie: cookie))
    links.insert(link.index)
  }

  /// The link's device goes with this.
  mutating func release(_ port: UInt16) {
    if let holder = table[port] { links.remove(holder.link.index) }
    table.unbind(port)
  }
}
