import type { SubscriptionAnswers, SubscriptionWords } from './words.js';

/**
 * Words that subscribe and unsubscribe, by language.
 *
 * A table to copy and change: `{ ...SUBSCRIPTION_WORDS, nl: { join: [...], leave: [...] } }`.
 */
export const SUBSCRIPTION_WORDS: SubscriptionWords = {
  en: {
    join: ['hello', 'join', 'start', 'subscribe'],
    leave: [
      ...['stop', 'stop all', 'stopall', 'unsubscribe', 'leave', 'goodbye', 'quit', 'cancel'],
      ...['end', 'opt out', 'optout', 'remove me', 'revoke'],
    ],
  },
  de: {
    join: ['hallo', 'anmelden', 'abonnieren', 'beitreten', 'start'],
    leave: ['stopp', 'stop', 'abmelden', 'abbestellen', 'austreten', 'kündigen', 'ende'],
  },
  fr: {
    join: ['bonjour', 'rejoindre', 'abonner', "s'abonner", 'inscription', "s'inscrire"],
    leave: [
      ...['stop', 'arrêt', 'arrêter', 'désabonner', 'se désabonner', 'désabonnement'],
      ...['désinscription', 'se désinscrire', 'quitter'],
    ],
  },
  es: {
    join: ['hola', 'unirse', 'unirme', 'alta', 'suscribir', 'suscribirse', 'suscribirme'],
    leave: ['stop', 'baja', 'darme de baja', 'darse de baja', 'parar', 'cancelar', 'salir'],
  },
  pt: {
    join: ['olá', 'entrar', 'inscrever', 'inscrever-se', 'assinar', 'aderir'],
    leave: ['stop', 'parar', 'pare', 'sair', 'cancelar', 'cancelar inscrição', 'descadastrar'],
  },
  ar: {
    join: ['مرحبا', 'أهلا', 'اشتراك', 'اشترك', 'انضمام', 'انضم', 'ابدأ'],
    leave: ['توقف', 'إيقاف', 'أوقف', 'قف', 'إلغاء', 'إلغاء الاشتراك', 'خروج', 'مغادرة'],
  },
  fa: {
    join: ['سلام', 'عضویت', 'عضو', 'پیوستن', 'شروع'],
    leave: ['توقف', 'لغو', 'لغو عضویت', 'لغو اشتراک', 'خروج', 'پایان'],
  },
  ru: {
    join: ['привет', 'здравствуйте', 'подписаться', 'подписка', 'старт', 'начать'],
    leave: ['стоп', 'отписаться', 'отписка', 'отпишите', 'выйти', 'хватит', 'отмена'],
  },
  uk: {
    join: ['привіт', 'вітаю', 'підписатися', 'підписатись', 'підписка', 'старт', 'почати'],
    leave: ['стоп', 'відписатися', 'відписатись', 'відписка', 'вийти', 'скасувати', 'досить'],
  },
  tr: {
    join: ['merhaba', 'selam', 'abone', 'abone ol', 'katıl', 'başla'],
    leave: ['dur', 'durdur', 'iptal', 'çık', 'ayrıl', 'abonelikten çık', 'abonelik iptal'],
  },
};

/** Answers to the words, by language. A table to copy and change. */
export const SUBSCRIPTION_ANSWERS: SubscriptionAnswers = {
  en: {
    joined: 'You are subscribed. Send STOP to leave.',
    left: 'You have left, and get no further messages. Send HELLO to come back.',
  },
  de: {
    joined: 'Sie sind angemeldet. Mit STOPP melden Sie sich ab.',
    left: 'Sie sind abgemeldet und erhalten keine weiteren Nachrichten. Mit HALLO kommen Sie zurück.',
  },
  fr: {
    joined: 'Vous êtes abonné·e. Envoyez STOP pour vous désabonner.',
    left: 'Vous êtes désabonné·e et ne recevrez plus de messages. Envoyez BONJOUR pour revenir.',
  },
  es: {
    joined: 'La suscripción está activa. Envíe BAJA para salir.',
    left: 'La suscripción ha terminado y no recibirá más mensajes. Envíe HOLA para volver.',
  },
  pt: {
    joined: 'A inscrição está ativa. Envie SAIR para cancelar.',
    left: 'A inscrição foi cancelada e não receberá mais mensagens. Envie OLÁ para voltar.',
  },
  ar: {
    joined: 'تم الاشتراك. أرسل «توقف» للمغادرة.',
    left: 'تم إلغاء الاشتراك ولن تصلك رسائل أخرى. أرسل «مرحبا» للعودة.',
  },
  fa: {
    joined: 'شما عضو شدید. برای خروج «لغو» را بفرستید.',
    left: 'عضویت شما لغو شد و پیام دیگری نمی‌گیرید. برای بازگشت «سلام» را بفرستید.',
  },
  ru: {
    joined: 'Подписка оформлена. Чтобы отписаться, отправьте СТОП.',
    left: 'Подписка отменена, сообщений больше не будет. Чтобы вернуться, отправьте ПРИВЕТ.',
  },
  uk: {
    joined: 'Підписку оформлено. Щоб відписатися, надішліть СТОП.',
    left: 'Підписку скасовано, повідомлень більше не буде. Щоб повернутися, надішліть ПРИВІТ.',
  },
  tr: {
    joined: 'Aboneliğiniz başladı. Ayrılmak için DUR yazın.',
    left: 'Aboneliğiniz bitti, başka mesaj almayacaksınız. Dönmek için MERHABA yazın.',
  },
};
