import DivertWire
import Glibc
import Kernel
import LinuxHost

/// What programs ask for.
extension Daemon {
  /// Reads what has come and answers it.
  ///
  /// - Returns: Whether the connection goes on.
  func serve(_ client: ControlClient) -> Bool {
    // A program that asks much and fast has its turn like the others.
    for _ in 0..<16 where client.isReadable {
      switch client.read() {
      case .nothing: return true
      case .end: return false
      case .message(let message): guard answer(message, client) else { return false }
      }
    }
    return true
  }

  private func answer(_ message: ControlMessage, _ client: ControlClient) -> Bool {
    do throws(SystemError) {
      switch message {
      case .open: return try open(client)
      case .bind(let port): return client.send(try bind(port, client))
      case .ipfw(let words): return ipfw(words, client)
      case .counts: return try counts(client)
      case .options(let options):
        try client.withSocket("set a divert socket's options") { socket throws(SystemError) in
          try host.setOptions(options, of: socket)
        }
        return client.send(.done)
      case .statistics:
        try client.requirePrivilege("read divertd's statistics")
        return client.send(.told(try host.statistics()))
      case .policy(let port, let policy):
        let action = "set the policy of divert port \(port)"
        try client.requirePrivilege(action)
        guard port != 0 else { throw SystemError(action, code: EINVAL, advice: "ports are 1 to 65535") }
        client.waitsForAnswer = true
        ruleChanges.setPolicy(policy, ofPort: port, for: client.identifier)
        return true
      case .release:
        try client.withSocket("release a divert port") { socket throws(SystemError) in
          try host.release(socket)
        }
        return client.send(.done)
      case .opened, .bound, .counted, .done, .told, .result, .failed:
        return false
      }
    } catch {
      return client.send(.failed(error))
    }
  }

  private func open(_ client: ControlClient) throws(SystemError) -> Bool {
    try client.requirePrivilege("open a divert socket")
    let (number, link) = try host.openSocket()
    return client.send(.opened(link: link), descriptor: SharedDescriptor(Descriptor(owning: number)))
  }

  private func bind(_ port: UInt16, _ client: ControlClient) throws(SystemError) -> ControlMessage {
    let action = "bind divert port \(port)"
    guard port == 0 || port >= 1024 || client.user.isPrivileged else {
      throw SystemError(action, code: EACCES, advice: "ports below 1024 are the superuser's")
    }
    let (bound, link) = try client.withSocket(action) { socket throws(SystemError) in
      try host.bind(socket, port: port)
    }
    client.holdsPort = true
    return .bound(port: bound, link: link)
  }

  private func counts(_ client: ControlClient) throws(SystemError) -> Bool {
    let (slot, number) = try client.withSocket("count a socket's packets") { socket throws(SystemError) in
      try host.counts(of: socket)
    }
    return client.send(.counted(slot: slot), descriptor: SharedDescriptor(Descriptor(owning: number)))
  }

  private func ipfw(_ words: [String], _ client: ControlClient) -> Bool {
    guard client.user.isPrivileged else {
      let error = "ipfw: socket: Operation not permitted; \(client.privilegeAdvice)\n"
      return client.send(.result(status: 69, output: "", errors: error))
    }
    client.waitsForAnswer = true
    ruleChanges.execute(words, for: client.identifier)
    return true
  }
}

extension ControlClient {
  /// - Throws: `EPERM` for a program that may not administer the network.
  func requirePrivilege(_ action: String) throws(SystemError) {
    guard user.isPrivileged else { throw SystemError(action, code: EPERM, advice: privilegeAdvice) }
  }

  var privilegeAdvice: String {
    switch privilege {
    case .administrator, .user: "run the program as root"
    case .superuserWithoutCapability: "the program needs CAP_NET_ADMIN in divertd's user namespace"
    case .unknown:
      "divertd cannot see the program's capabilities: it has ended, or is in another PID namespace, or divertd lacks CAP_SYS_PTRACE"
    }
  }
}
