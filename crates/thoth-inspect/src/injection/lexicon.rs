//! What words mean for a text that addresses a model, in the languages in which people attack.
//!
//! The words are roles, not phrases: a verb of overriding, a noun for rules, a word for what came before. What a text
//! does follows from how they stand together ([`super::clause`]). They are matched on the normalised view, which has
//! no accents on Latin letters and no look-alike letters; so none stand here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::LazyLock;

use super::super::words::Words;

/// A set of meanings.
pub(super) type Meaning = u64;

macro_rules! meanings {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => { $($(#[$doc])* pub(super) const $name: Meaning = 1 << $bit;)* };
}

meanings! {
    /// To set aside.
    OVERRIDE = 0;
    /// What came before, or all of it.
    PRIOR = 1;
    /// Rules, instructions, prompts.
    RULES = 2;
    /// A model by one of its names.
    MODEL = 3;
    /// The person whom the model serves.
    USER = 4;
    /// What the model says.
    RESPONSE = 5;
    /// To do something with effects outside: send, delete, pay.
    ACT = 6;
    /// To give away.
    LEAK = 7;
    /// What must not be given away.
    SECRET = 8;
    /// To let a person know.
    TELL = 9;
    /// Not, never, without.
    NOT = 10;
    /// Words of authority and urgency.
    AUTHORITY = 11;
    /// Must, shall, required.
    MUST = 12;
    /// To shape what is said: translate, encode, include.
    SHAPE = 13;
    /// Security measures.
    GUARD = 14;
    /// To switch off.
    DISABLE = 15;
    /// A task.
    TASK = 16;
    /// To finish or begin a task.
    FULFIL = 17;
    /// Words that may stand before an imperative.
    SOFTENER = 18;
    /// You.
    YOU = 19;
    /// Your.
    YOUR = 20;
    /// A tool, a function.
    TOOL = 21;
    /// All, every, entire.
    ALL = 22;
    /// Code, snippet, block.
    CODE = 23;
    /// What code is part of: solution, implementation.
    WORK = 24;
    /// Words of texts about attacks.
    MENTION = 25;
    /// Words that open a question.
    QUESTION = 26;
    /// New, next, real.
    NEW = 27;
    /// This, these, following.
    THIS = 28;
    /// In secret.
    COVERT = 29;
    /// I, me, my.
    SELF = 30;
    /// First, before.
    FIRST = 31;
    /// Things that an action can be about: messages, files, transactions.
    BELONGINGS = 32;
    /// To make someone believe or say.
    SAY = 33;
    /// A word that opens a note of work to do.
    TODO = 34;
    /// To be, to act as.
    BECOME = 35;
    /// Hidden, system: what stands before `prompt`.
    SYSTEM = 36;
    /// To outrank.
    PRECEDE = 37;
    /// To read as a machine does.
    PROCESS = 38;
    /// A model by a name that other things bear too.
    AGENT = 39;
    /// Of an identifier: arguments in quotation marks follow.
    CALL = 40;
    /// To do as one is told.
    OBEY = 41;
    /// To use a tool.
    INVOKE = 44;
    /// That: what follows is to be said.
    THAT = 45;
    /// Switched off.
    DISABLED = 43;
    /// Other verbs that open a request.
    VERB = 42;
    /// Not a word: a glyph of a script without spaces.
    GLYPH = 48;
    /// Stands after a comma.
    COMMA = 49;
    /// Not a word: an address, a mail address, a place-holder.
    PLACE = 50;
    /// Not a word: an identifier with underscores, or a call.
    NAME = 51;
    /// Not a word: a label with a word of authority in it.
    TAG = 52;
    /// Not a word: a delimiter of a chat template.
    TEMPLATE = 53;
    /// Not a word: a speaker and a colon at the beginning of a line.
    SPEAKER = 54;
    /// Written in capitals.
    LOUD = 56;
    /// Stands after a mark at which something else may begin.
    BREAK = 57;
    /// Stands after a quotation mark.
    QUOTED = 58;
    /// A number.
    NUMBER = 59;
    /// Opens a call in code, after such a mark.
    CALLED = 60;
    /// Opens with a capital, and the next word does not.
    CAPITAL = 61;
    /// Not a word: an address that carries data away.
    CARRIER = 62;
}

/// Words and what they mean. A word may stand in several rows.
#[rustfmt::skip]
const WORDS: &[(Meaning, &str)] = &[
    (OVERRIDE, "ignore ignoring disregard disregarding forget override overrides overriding supersede supersedes overrule overrules discard dismiss bypass circumvent neglect"),
    (OVERRIDE, "ignora ignorad ignoren ignorar olvida olvide olviden olvidar descarta descarte omite omita desobedece"),
    (OVERRIDE, "ignorez ignorer oubliez oublie oublier negligez"),
    (OVERRIDE, "ignoriere ignorieren ignoriert vergiss vergessen missachte missachten verwirf"),
    (OVERRIDE, "esqueca esquecer desconsidere desconsiderar descarte ignorem"),
    (OVERRIDE, "ignorate ignori dimentica dimenticate dimenticare trascura"),
    (OVERRIDE, "игнорируи игнорируите игнорировать игнорируй игнорируйте забудь забудьте отмени отмените"),
    (PRIOR, "previous prior above earlier preceding past existing original initial current former other subsequent later following remaining"),
    (PRIOR, "anterior anteriores previa previas previo previos precedente precedentes"),
    (PRIOR, "precedent precedents anterieures anterieurs vorherigen vorherige vorigen bisherigen bisherige obigen fruheren vorangegangenen"),
    (PRIOR, "precedenti anteriori предыдущие предыдущих прежние вышеуказанные предшествующие"),
    (ALL, "all any every each entire whole everything todas todos todo toda toutes tous tout alle allen alles jede tutte tutti tutto все всех любые"),
    (RULES, "instruction instructions prompt prompts rule rules guideline guidelines directive directives constraint constraints restriction restrictions policy policies orders safeguard safeguards programming training alignment limitations"),
    (RULES, "instruccion instrucciones regla reglas ordenes indicaciones directrices restricciones consigne consignes regle regles"),
    (RULES, "anweisung anweisungen regeln regel vorgaben instruktionen befehle richtlinien"),
    (RULES, "instrucao instrucoes regra regras diretrizes orientacoes comandos istruzione istruzioni regola regole direttive indicazioni"),
    (RULES, "инструкции инструкция инструкциям правила указания команды промпт"),
    (MODEL, "assistant assistants ai llm llms chatbot gpt chatgpt claude gemini copilot grok mistral"),
    (MODEL, "asistente assistente assistent ki ассистент ассистента помощник ии"),
    (AGENT, "agent agents model models bot modele modelo modell agente модель бот llama"),
    (PRECEDE, "precedence priority outranks supersedes supersede overrides override"),
    (PROCESS, "reading processing summarizing summarising parsing viewing analyzing analysing reviewing reads processes"),
    (USER, "user users human humans owner customer operator usuario usuarios utilisateur utilisateurs benutzer nutzer anwender utente utenti пользователь пользователю пользователя пользователем"),
    (RESPONSE, "response responses reply replies answer answers output outputs elucidation message completion respuesta respuestas reponse antwort antworten resposta risposta ответ ответе"),
    (ACT, "send email mail forward transfer wire delete remove visit invite create book reserve change modify update post upload share pay execute run call invoke use write read save open download install add buy purchase submit fetch retrieve get append terminate kill publish schedule make edit enter click navigate go access query list search transmit copy concatenate cancel deposit approve grant enable retry set reset deploy push merge subscribe follow unlock turn check look find"),
    (ACT, "envia envie enviar elimina elimine borra borre ejecuta ejecute llama transfiere transfiera escribe envoie envoyez envoyer supprime supprimez execute executez appelle appelez transfere transferez"),
    (ACT, "sende senden schicke schicken losche loschen fuhre ausfuhren rufe uberweise leite lies schreibe exclua apague chame transfira leia escreva"),
    (ACT, "invia inviate cancella esegui eseguite chiama trasferisci leggi scrivi отправь отправьте перешли перешлите удали удалите выполни выполните вызови переведи прочитаи запиши"),
    (LEAK, "send email forward upload post transmit share reveal disclose leak exfiltrate expose publish print output repeat show display dump deliver submit concatenate tell give provide export relay reply respond"),
    (LEAK, "envia envie revela revele muestra muestre imprime divulga envoie envoyez revelez affiche affichez divulgue sende schicke zeige verrate offenbare gib mostre invia rivela mostra отправь отправьте раскрои раскрой раскройте покажи покажите перешли выведи"),
    (SECRET, "password passwords passphrase credential credentials token tokens secret secrets key keys otp passport ssn pin cookie cookies cvv iban ssh environment private confidential sensitive seed wallet"),
    (SECRET, "contrasena contrasenas credenciales clave claves identifiants passwort passworter zugangsdaten geheimnis schlussel senha senhas credenciais segredos parola credenziali chiavi пароль пароли ключ ключи токен секреты"),
    (BELONGINGS, "messages message emails email mails inbox files file contacts conversation conversations chat history transactions transaction documents document calendar account accounts data information details photos chats channels channel records money balance event reservation appointment link website post payment recipient workspace drive hotel folder mensajes archivos correos historial donnees fichiers nachrichten dateien daten mensagens arquivos dados messaggi dati сообщения файлы данные"),
    (TELL, "telling informing notifying mentioning asking alerting revealing mention tell reveal inform disclose notify say alert show report display acknowledge warn discuss explain menciones digas reveles informes mentionne mentionnez dis dites informe erwahne erwahnen sage sagen verrate mencione diga revele menzionare dire rivelare упоминаи сообщаи говори сообщай говорите сообщайте упоминайте"),
    (NOT, "not don't dont never no without cannot nunca jamas sin ne pas jamais sans nicht niemals nie ohne nao jamais sem non mai senza не никогда без"),
    (AUTHORITY, "important urgent critical system admin administrator priority mandatory immediately developer directive attention information instruction instructions security override sysadmin root emergency compliance authorized notice confidential"),
    (AUTHORITY, "importante urgente sistema wichtig dringend achtung wichtige attenzione systeme внимание важно срочно система"),
    (MUST, "must shall need required strictly mandatory obligated adhere comply obey should debes debe tienes devez dois musst mussen sollst deve devi должен должны обязан"),
    (SHAPE, "translate encode encrypt render express provide respond reply answer write convert reverse substitute replace shift modify augment include insert embed incorporate integrate append add use end begin start finish conclude format phrase rewrite summarize combine group introduce enhance mention suggest speak talk prefix rephrase anagram invert represent tease refer promote highlight recommend weave present"),
    (SHAPE, "traduce responde incluye traduisez repondez incluez ubersetze antworte traduza responda inclua traduci rispondi includi переведи ответь включи"),
    (GUARD, "authentication authorization validation security checks restrictions confirmation safety access privileges permissions verification safeguards protections filters guardrails limits moderation policies sandbox controls"),
    (DISABLE, "bypass disable disabled suspend suspended skip ignore deactivate lift circumvent drop waive allow grant unrestricted elevated"),
    (INVOKE, "use using call run invoke execute retry llama usa utilisez appelez rufe verwende chame use chiama вызови используй"),
    (OBEY, "follow obey heed"),
    (THAT, "that que dass che что"),
    (TASK, "task tasks goal objective query request assignment mission tarea tache aufgabe tarefa compito задача задание"),
    (FULFIL, "complete completed finish finished solve do perform execute accomplish prioritize switch focus continue proceed fulfil fulfill handle start begin"),
    (SOFTENER, "please kindly now then also just first next and immediately do instead always to additionally simply be let must should can could would may will or finally por favor s'il vous plait bitte veuillez per prego пожалуиста пожалуйста теперь ahora maintenant jetzt agora ora todo"),
    (YOU, "you u usted vous sie du voce voi ты вы вам"),
    (YOUR, "your yours tus votre vos tes deine deinen deiner ihre seu sua seus tuo tua tuoi твои твоих ваши ваш"),
    (TOOL, "tool tools function functions api endpoint plugin herramienta outil werkzeug ferramenta strumento инструмент"),
    (CODE, "code snippet snippets block excerpt section script"),
    (WORK, "solution implementation codebase program algorithm code logic application project architecture response answer elucidation explanation reply"),
    (MENTION, "injection injections attack attacks attacker attackers jailbreak jailbreaks adversarial malicious example examples vulnerability vulnerabilities detect detects detection detector phishing exploit payload payloads prevent mitigate mitigation owasp classifier benchmark dataset research researchers paper guardrail guardrails heuristic regex phrases"),
    (VERB, "analyze analyse determine compose draft summarize summarise classify identify explain describe compare evaluate calculate generate recommend assess outline discuss imagine help propose design estimate predict categorize rate decide define demonstrate illustrate devise"),
    (QUESTION, "what how why who when where which can could would do does is are should"),
    (NEW, "new next real actual updated true urgent different only main additional nueva nouvelle neue neuen nova nuova новая новую новые"),
    (THIS, "this these following the below here subsequent"),
    (COVERT, "silently secretly quietly covertly discreetly unnoticed invisibly stealthily secretamente discretamente heimlich discretement segretamente незаметно тайно"),
    (SELF, "i me my mine i'm"),
    (FIRST, "first before beforehand once after"),
    (SAY, "say tell claim state pretend mention convince persuade recommend advise assure"),
    (TODO, "todo"),
    (BECOME, "are act pretend become roleplay behave operate simulate"),
    (SYSTEM, "system hidden initial internal developer original full complete sistema systeme"),
];

/// Words of scripts that write none between words: matched anywhere.
#[rustfmt::skip]
const GLYPHS: &[(Meaning, &str)] = &[
    (OVERRIDE, "忽略 无视 無視 忘记 忘記 忽視 忽视 不要理会 忘れて 무시 잊어 잊으"),
    (PRIOR | ALL, "之前 以前 先前 前面 上面 以上 所有 全部 これまで 上記 すべて 全て 이전 위의 앞선 모든"),
    (RULES, "指令 指示 提示 规则 規則 命令 プロンプト ルール 지시 명령 규칙 지침 프롬프트"),
    (MODEL, "助手 模型 人工智能 智能体 アシスタント モデル エージェント 어시스턴트 모델 에이전트 인공지능"),
    (USER, "用户 用戶 使用者 ユーザー ユーザ 利用者 사용자 유저"),
    (NOT, "不要 不得 切勿 禁止 不能 しないで ないでください せず 없이 마세요 말고 마라 하지"),
    (TELL, "告诉 告訴 告知 提及 透露 通知 伝え 教え 言わ 知らせ 明かさ 알리 말하 언급 알려"),
    (ACT | LEAK, "发送 發送 转发 上传 上傳 删除 執行 执行 调用 轉發 泄露 输出 送信 転送 アップロード 削除 実行 呼び出 보내 전송 전달 업로드 삭제 실행 호출 공개"),
    (SECRET, "密码 密碼 密钥 金鑰 令牌 凭证 凭据 機密 机密 パスワード 秘密 認証情報 トークン 비밀번호 암호 토큰 비밀 자격"),
    (BELONGINGS, "文件 邮件 对话 聊天记录 数据 信息 ファイル メール 会話 データ 파일 메일 대화 데이터"),
    (AUTHORITY, "重要 紧急 緊急 系统 系統 管理员 システム 管理者 중요 긴급 시스템 관리자"),
    (MUST, "必须 必須 务必 しなければ 반드시 해야"),
    (RESPONSE, "回复 回答 回覆 返信 応答 답변 응답"),
    (TASK, "任务 任務 タスク 작업 과제"),
    (NEW, "新的 新しい 새로운"),
    (YOUR | YOU, "你的 您的 你 您 あなた 당신 너의"),
];

/// A number for a word, made while its bytes are read. Five bits a letter: up to twelve letters it is the word itself.
/// The table is ours; who finds another word with the same number has found a strange synonym.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Spelling(u64);

impl Spelling {
    /// Adds a byte. Capitals of ASCII are to be given in lower case.
    pub(super) const fn push(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(5) ^ byte as u64;
    }

    pub(super) fn of(word: &[u8]) -> Self {
        let mut spelling = Self::default();
        word.iter().for_each(|byte| spelling.push(byte.to_ascii_lowercase()));
        spelling
    }

    /// The same number, its bits spread over all places.
    const fn spread(self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Takes a number for its own hash: it is one.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        // The map reads the upper bits for its tags and the lower ones for places; both must vary.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

struct Table {
    meanings: HashMap<u64, Meaning, BuildHasherDefault<Same>>,
    /// One bit for each word, at a place that its number says. Most words of a text are sorted out here.
    filter: [u64; 256],
}

/// The row and the bit of the filter for a number that was spread.
const fn filter_place(spread: u64) -> (usize, u64) {
    ((spread >> 56) as usize, 1 << (spread >> 50 & 63))
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { meanings: HashMap::default(), filter: [0; 256] };
    for (meaning, words) in WORDS {
        for word in words.split(' ') {
            let spread = Spelling::of(word.as_bytes()).spread();
            *table.meanings.entry(spread).or_default() |= meaning;
            let (row, bit) = filter_place(spread);
            if let Some(row) = table.filter.get_mut(row) {
                *row |= bit;
            }
        }
    }
    table
});

/// What a word means.
pub(super) fn meaning(word: Spelling) -> Meaning {
    let table = &*TABLE;
    let spread = word.spread();
    let (row, bit) = filter_place(spread);
    if table.filter.get(row).is_none_or(|row| row & bit == 0) {
        return 0;
    }
    table.meanings.get(&spread).copied().unwrap_or(0)
}

/// What a word in any case means.
pub(super) fn meaning_of(word: &[u8]) -> Meaning {
    meaning(Spelling::of(word))
}

struct Glyphs {
    words: Words,
    meanings: Vec<Meaning>,
}

static GLYPH_TABLE: LazyLock<Glyphs> = LazyLock::new(|| {
    let rows = GLYPHS.iter().flat_map(|(meaning, words)| words.split(' ').map(|word| (*meaning, word)));
    let (meanings, words): (Vec<_>, Vec<_>) = rows.unzip();
    Glyphs { words: Words::new(&words), meanings }
});

/// The words of a run of glyphs: what each means and where it stands in the run. Most places open no word, and a walk from
/// there ends at its first bytes: runs are short, and there are many.
pub(super) fn glyphs(run: &str) -> impl Iterator<Item = (Meaning, Range<usize>)> {
    let table = &*GLYPH_TABLE;
    let mut end = 0;
    std::iter::from_fn(move || {
        loop {
            let (start, rest) = (end, run.get(end..)?);
            if let Some((word, length)) = table.words.longest(rest) {
                end += length;
                return Some((table.meanings.get(word).copied().unwrap_or(0), start..end));
            }
            end += rest.chars().next()?.len_utf8();
        }
    })
}

/// Every word of the table.
#[cfg(test)]
pub(super) fn all_words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().flat_map(|(_, words)| words.split(' '))
}
