import BPF
import DivertEngine
import Glibc
import Kernel
import RuleCompiler

/// A device on which divert sockets live, with its hook. It is gone when nobody holds this any more.
final class HostLink: Sendable {
  // The hook goes before the device that it is attached to.
  private let hook: Link
  private let device: TapDevice
  var index: UInt32 { device.index }

  init(_ device: consuming TapDevice, program: borrowing Program) throws(SystemError) {
    hook = try Link(program, to: device.index, .egress)
    self.device = device
  }
}

/// Who holds a divert port: a socket, on a link of its own.
struct PortHolder: Sendable {
  let link: HostLink
  let cookie: UInt64
  var options: HookPortOptions
}

/// The sockets that were handed out, and the ports they have bound.
struct PortBindings: ~Copyable {
  var table = PortTable<PortHolder>()
  private(set) var links: Set<UInt32> = []
  /// By cookie.
  private(set) var sockets: [UInt64: Slot] = [:]
  private var options: [UInt64: HookPortOptions] = [:]
  private var freeSlots: [Slot] = []
  private var slotCount: Slot = 1

  /// Where the hooks count what a socket writes; 0 is divertd's own.
  typealias Slot = UInt32

  /// - Throws: `ENFILE` when all slots are taken.
  mutating func add(socket cookie: UInt64) throws(SystemError) -> Slot {
    let slot: Slot
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      guard slotCount < HookMaps.socketCapacity else {
        throw SystemError(
          "open a divert socket", code: ENFILE, advice: "close some of the \(slotCount) there are")
      }
      slot = slotCount
      slotCount += 1
    }
    sockets[cookie] = slot
    return slot
  }

  mutating func forget(socket cookie: UInt64) {
    if let slot = sockets.removeValue(forKey: cookie) { freeSlots.append(slot) }
    options[cookie] = nil
  }

  func port(of cookie: UInt64) -> UInt16? { table.ports.first { table[$0]?.cookie == cookie } }

  /// - Returns: Whether there is such a socket.
  mutating func setOptions(_ wanted: HookPortOptions, of cookie: UInt64) -> Bool {
    guard sockets[cookie] != nil else { return false }
    options[cookie] = wanted
    if let port = port(of: cookie) { table.change(port) { $0.options = wanted } }
    return true
  }

  mutating func hold(_ port: UInt16, _ link: HostLink, _ cookie: UInt64) {
    table.bind(port, PortHolder(link: link, cookie: cookie, options: options[cookie] ?? []))
    links.insert(link.index)
  }

  /// The link's device goes with this.
  mutating func release(_ port: UInt16) {
    if let holder = table[port] { links.remove(holder.link.index) }
    table.unbind(port)
  }
}
