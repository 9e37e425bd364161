import DivertWire
import Glibc
import Kernel

/// The control socket and the programs that have connected to it. It lets in, reads and hangs up; what is asked for, the
/// daemon does.
final class ControlServer {
  /// At the socket's path, and by the same as an abstract name (unless another process has taken that), for programs in a
  /// root directory of their own.
  private let listeners: [SharedDescriptor]
  private let path: String
  private(set) var clients: [ControlClient] = []
  private var lastIdentifier: ControlClient.Identifier = 0
  private var closers: [ClientUser: Closer] = [:]
  /// For connections: what waits in them unread is closed along.
  private let hangUps: Closer
  private let wakeUp: WakeUp
  /// After a connection could not be accepted, for want of descriptors.
  private var listensAgain: ContinuousClock.Instant?

  /// Programs can connect when this returns.
  init(path: String, wakeUp: WakeUp) throws(SystemError) {
    // First the one that no program waits for: with the path, everything is there.
    var listeners: [SharedDescriptor] = []
    if let abstract = try UnixSocket.listen(atAbstractName: path) {
      listeners.append(SharedDescriptor(abstract))
    }
    listeners.append(SharedDescriptor(try UnixSocket.listen(at: path)))
    (self.listeners, self.path, self.wakeUp) = (listeners, path, wakeUp)
    hangUps = Closer(wakeUp: wakeUp)
  }

  /// Takes the path away.
  func end() { _ = unsafe unlink(path) }

  // MARK: Waiting

  /// Whether connections are let in: not while many are still to be closed, or descriptors are used up.
  private var isListening: Bool { listensAgain == nil && hangUps.count < 64 }

  func add(to waiting: inout PollSet) {
    if isListening { for listener in listeners { waiting.add(listener.number) } }
    for client in clients where client.isReadable || client.waitsForRoom {
      waiting.add(client.number, reading: client.isReadable, writing: client.waitsForRoom)
    }
  }

  /// When ``hangUpOnOverdue()`` has something to do, or connections are let in again.
  var deadline: ContinuousClock.Instant? {
    (clients.compactMap(\.deadline) + [listensAgain].compactMap { $0 }).min()
  }

  // MARK: Connections

  /// Lets in who waits, some at a time.
  func accept(_ waiting: PollSet) {
    for listener in listeners where waiting.isReadable(listener.number) {
      for _ in 0..<64 where isListening {
        do throws(SystemError) {
          guard let connection = try UnixSocket.accept(on: listener.number) else { break }
          admit(connection)
        } catch {
          complain("\(error)")
          listensAgain = .now + .seconds(1)
        }
      }
    }
  }

  private func admit(_ connection: consuming Descriptor) {
    guard let peer = try? Peer(of: connection) else { return hangUps.close(connection) }
    let privilege = PeerPrivilege(of: connection, peer)
    let user = ClientUser(number: peer.user, isPrivileged: privilege == .administrator)
    lastIdentifier += 1
    let closer = closers[user] ?? Closer(wakeUp: wakeUp)
    let client = ControlClient(connection, lastIdentifier, user, privilege, closer)
    if let refusal = ClientLimits.refusal(of: user, among: clients.lazy.map(\.user)) {
      _ = client.send(.failed(refusal))
      return client.hangUp(hangUps)
    }
    closers[user] = closer
    clients.append(client)
  }

  /// Goes through the programs, and hangs up on those for which `body` returns false.
  ///
  /// - Returns: Whether there was one.
  func hangUp(unless body: (ControlClient) -> Bool) -> Bool {
    let before = clients.count
    clients = clients.filter { client in
      if body(client) { return true }
      client.hangUp(hangUps)
      return false
    }
    guard clients.count < before else { return false }
    let users = Set(clients.map(\.user))
    closers = closers.filter { $0.value.count > 0 || users.contains($0.key) }
    return true
  }

  func hangUpOnOverdue() -> Bool {
    let now = ContinuousClock.now
    if let again = listensAgain, again <= now { listensAgain = nil }
    return hangUp { client in client.deadline.map { $0 > now } ?? true }
  }
}

extension ControlMessage {
  static func failed(_ error: SystemError) -> ControlMessage {
    .failed(code: error.code, text: error.advice.map { "\(error.action); \($0)" } ?? error.action)
  }
}
