import DivertEngine
import DivertWire
import Glibc
import Kernel
import RuleCompiler

/// Who holds a divert port: a socket, on a link of its own.
struct PortHolder: Sendable {
  let link: HostLink
  let cookie: UInt64
  var options: HookPortOptions
  /// What the port had counted when the socket got it.
  let before: PortCounts
}

/// A socket that was handed out.
struct HandedSocket: Sendable {
  /// Where the hooks count what it writes; 0 is divertd's own.
  typealias Slot = UInt32
  let slot: Slot
  /// What an earlier socket has left in the slot.
  let before: Counts<SocketCount>
  var options: HookPortOptions = []
  /// Packets that found no room, and the kernel's count of them at the last look.
  private(set) var droppedFull: UInt64 = 0
  private var lastDrops: UInt32 = 0

  init(slot: Slot, before: Counts<SocketCount>) { (self.slot, self.before) = (slot, before) }

  /// - Returns: How many were dropped since the last look.
  mutating func look(at drops: UInt32) -> UInt64 {
    let growth = UInt64(drops &- lastDrops)
    lastDrops = drops
    droppedFull += growth
    return growth
  }
}

/// The sockets that were handed out, and the ports they have bound.
struct PortBindings: ~Copyable {
  var table = PortTable<PortHolder>()
  private var boundLinks: Set<UInt32> = []
  private let closing = ClosingLinks()
  /// The interfaces of all links, until they are gone.
  var links: Set<UInt32> { boundLinks.union(closing.indexes) }
  /// By cookie.
  private(set) var sockets: [UInt64: HandedSocket] = [:]
  private var freeSlots: [HandedSocket.Slot] = []
  /// Slots that some socket has or has had, and divertd's own.
  private(set) var slotCount: HandedSocket.Slot = 1
  /// Packets that found a receive buffer full: of the sockets that are gone by now, too, up to the last look at them.
  private(set) var droppedFull: UInt64 = 0

  /// - Parameter counts: What a slot holds.
  /// - Throws: `ENFILE` when all slots are taken.
  mutating func add(
    socket cookie: UInt64, _ counts: (HandedSocket.Slot) -> Counts<SocketCount>
  ) throws(SystemError) -> HandedSocket.Slot {
    let slot: HandedSocket.Slot
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
    sockets[cookie] = HandedSocket(slot: slot, before: counts(slot))
    return slot
  }

  /// Puts a socket back that an earlier divertd has handed out.
  mutating func restore(socket cookie: UInt64, _ socket: HandedSocket) {
    sockets[cookie] = socket
    while slotCount <= socket.slot {
      if slotCount != socket.slot { freeSlots.append(slotCount) }
      slotCount += 1
    }
    freeSlots.removeAll { $0 == socket.slot }
  }

  /// Takes note of the slots that an earlier divertd has used: what sockets have written there is not forgotten.
  mutating func restore(slotCount count: HandedSocket.Slot) {
    while slotCount < count {
      freeSlots.append(slotCount)
      slotCount += 1
    }
  }

  mutating func forget(socket cookie: UInt64) {
    if let socket = sockets.removeValue(forKey: cookie) { freeSlots.append(socket.slot) }
  }

  func port(of cookie: UInt64) -> UInt16? { table.ports.first { table[$0]?.cookie == cookie } }

  mutating func setOptions(_ wanted: HookPortOptions, of cookie: UInt64) {
    sockets[cookie]?.options = wanted
    if let port = port(of: cookie) { table.change(port) { $0.options = wanted } }
  }

  /// Takes note of what the kernel has dropped.
  mutating func look(at entries: [PacketSocketTable.Entry]) {
    for entry in entries { droppedFull += sockets[entry.cookie]?.look(at: entry.buffer.drops) ?? 0 }
  }

  mutating func hold(_ port: UInt16, _ link: HostLink, _ cookie: UInt64, before: PortCounts) {
    let options = sockets[cookie]?.options ?? []
    table.bind(port, PortHolder(link: link, cookie: cookie, options: options, before: before))
    boundLinks.formUnion(link.indexes)
  }

  /// The link's device goes with this.
  mutating func release(_ port: UInt16) { _ = unbind(port) }

  /// The link's device goes in the background, unless the port is bound again before.
  mutating func releaseLater(_ port: UInt16) {
    if let link = unbind(port) { closing.close(link, ofPort: port) }
  }

  /// A link that a port has left, to be used again.
  func formerLink(ofPort port: UInt16) -> HostLink? { closing.take(port) }

  private mutating func unbind(_ port: UInt16) -> HostLink? {
    guard let link = table[port]?.link else { return nil }
    boundLinks.subtract(link.indexes)
    table.unbind(port)
    return link
  }
}
